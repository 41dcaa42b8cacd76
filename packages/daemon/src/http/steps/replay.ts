import { sha256 } from '../../keys.ts';
import type { Caller, Exchange, Step } from '../exchange.ts';

export interface ReplayAnswer {
  readonly status: number;
  readonly text: string;
}

/** Answers that were given for an Idempotency-Key. */
export interface Replay {
  /**
   * The answer that was given for the key, or else the one that `run` gives now. Of several requests at once only the
   * first runs. A request that fails leaves the key free.
   * @throws ProblemError `request.idempotency-mismatch` when the key was used for another request
   */
  once(
    caller: Caller,
    request: { readonly key: string; readonly digest: string },
    run: () => Promise<ReplayAnswer>,
  ): Promise<{ readonly answer: ReplayAnswer; readonly isReplay: boolean }>;
}

/** Only routes that declare the key replay: an answer with a fresh secret must not be stored. */
export const createReplay =
  (replay: Replay): Step =>
  async (exchange, next) => {
    const headers = exchange.args.headers as Readonly<Record<string, string | undefined>> | undefined;
    const key = headers?.['idempotency-key'];
    if (key === undefined) return await next();
    let first: Response | undefined;
    const { answer } = await replay.once(exchange.caller, { key, digest: digestOf(exchange) }, async () => {
      first = await next();
      return { status: first.status, text: await first.text() };
    });
    return first
      ? exchange.respond(answer.text, answer.status, Object.fromEntries(first.headers))
      : exchange.respond(answer.text, answer.status, {
          'content-type': 'application/json',
          'idempotency-replayed': 'true',
        });
  };

/** What makes two requests the same one. */
const digestOf = ({ request: { method, path }, rawBody }: Exchange): string =>
  Buffer.from(sha256(Buffer.concat([Buffer.from(`${method} ${path}\n`), rawBody]))).toString('hex');
