import { isoTime, ProblemError, type Clock, type ProblemCode } from '@sbox/core';
import type { BytesAnswer, ClientFormat, ClientRule } from '@sbox/protocol';
import type { Store } from '../../database/store.ts';
import type { Answers } from './answers.ts';
import { lookedFor } from './client-links.ts';
import { decide, isFormat, type Asked, type Decision } from './client-rules.ts';
import type { StoredClient } from './clients-repository.ts';
import { admitDevice, fact, hwidOf } from './devices.ts';
import type { FetchLog } from './fetch-log.ts';
import { clientPage } from './page.ts';
import { mediaTypes, profileHeaders } from './profile-headers.ts';
import { targetOfAgent } from './profiles.ts';
import type { SharedRules } from './shared-rules.ts';

export interface SubDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly answers: Answers;
  readonly fetches: FetchLog;
  readonly sharedRules: SharedRules;
}

export interface SubRequest extends Asked {
  readonly token: string;
  /** Scheme and host under which the caller came. */
  readonly origin: string;
  readonly setHeader: (name: string, value: string) => void;
}

export type SubService = ReturnType<typeof createSubService>;

const refusals: Readonly<Record<Exclude<ClientRule['answer'], ClientFormat>, ProblemCode>> = {
  block: 'sub.blocked',
  'not-found': 'sub.not-found',
  unavailable: 'sub.unavailable',
};

/** The same words whatever is the matter: who guesses learns nothing. */
const nothingHere = (): ProblemError => new ProblemError('sub.not-found', 'the link is not good');

/** Hands configs to the programs of clients. */
export function createSubService({ store, clock, answers, fetches, sharedRules }: SubDeps) {
  const noteFor = (client: StoredClient, { headers }: SubRequest) => {
    const asked = { user_agent: fact(headers['user-agent']), hwid: hwidOf(headers) ?? null };
    return (
      outcome: string,
      of: { rule?: string; format?: ClientFormat; version?: number; left_out?: number } = {},
    ) => {
      const { rule = '', format = null, version = null, left_out = 0 } = of;
      fetches.add(client.id, { at: isoTime(clock.now()), ...asked, rule, format, outcome, version, left_out });
    };
  };

  return async (request: SubRequest): Promise<BytesAnswer> => {
    const found = await store.clients.findByToken(lookedFor(request.token));
    if (!found) throw nothingHere();
    const { client, version } = found;
    const note = noteFor(client, request);
    const closed = whyClosed(client, clock);
    if (closed !== undefined || version === null) {
      note(closed ?? 'no-version');
      throw nothingHere();
    }
    const decision = await decideFor(sharedRules, client, request);
    const { rule, answer: format } = decision;
    if (!isFormat(format)) {
      note(format === 'block' ? 'blocked' : format, { rule });
      throw format === 'not-found' ? nothingHere() : new ProblemError(refusals[format], 'not for this program');
    }
    const headers = { ...profileHeaders(client, format), ...decision.headers, 'x-sbox-rule': rule };
    if (format === 'html') {
      note('served', { rule, format });
      return pageAnswer(client, request, headers);
    }
    const device = await admitDevice({ store, clock }, client, request.headers);
    for (const [name, value] of Object.entries(device.headers)) request.setHeader(name, value);
    if (device.outcome !== 'ok') {
      note(device.outcome, { rule });
      throw nothingHere();
    }
    const of = { rule, format, version };
    try {
      const target = targetOfAgent(request.headers['user-agent'] ?? '');
      const question = { config: { id: client.config_id, version }, format, target, user: client.name };
      const { bytes, etag, leftOut } = await answers.of(question);
      const isKnown = knows(request.headers['if-none-match'], etag);
      note(isKnown ? 'not-modified' : 'served', { ...of, left_out: leftOut });
      return {
        bytes: isKnown ? undefined : bytes,
        etag,
        mediaType: mediaTypes[format].type,
        headers: { ...headers, 'x-sbox-left-out': String(leftOut) },
      };
    } catch (error) {
      if (error instanceof ProblemError) note(error.code, of);
      throw error;
    }
  };
}

/** Why nothing is given to a client, whatever it asks with. */
export function whyClosed({ enabled, expires_at }: StoredClient, clock: Clock): 'disabled' | 'expired' | undefined {
  if (!enabled) return 'disabled';
  return expires_at !== null && Date.parse(expires_at) <= clock.now() ? 'expired' : undefined;
}

/** By the rules of the client, then those of all. */
export const decideFor = async (sharedRules: SharedRules, client: StoredClient, asked: Asked): Promise<Decision> =>
  decide(
    [
      { of: 'client', rules: client.rules },
      { of: 'all', rules: await sharedRules.get() },
    ],
    asked,
    client.format,
  );

function pageAnswer(client: StoredClient, request: SubRequest, headers: Record<string, string>): BytesAnswer {
  const { headers: asked, origin, token } = request;
  const { html, policy } = clientPage({ client, link: `${origin}/sub/${token}`, languages: asked['accept-language'] });
  return {
    bytes: Buffer.from(html),
    etag: undefined,
    mediaType: mediaTypes.html.type,
    headers: { ...headers, 'content-security-policy': policy, 'x-sbox-left-out': '0' },
  };
}

/** RFC 9110, 13.1.2: a weak tag will do. */
const knows = (given: string | undefined, etag: string): boolean =>
  given !== undefined && given.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, '')));
