import { request, type IncomingMessage } from 'node:http';
import { singBox } from '@sbox/engines/sing-box/run';

export interface Control {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  readonly secret: string;
}

/** A group of the engine: what it uses now, and what it could use. */
export interface ControlGroup {
  readonly now: string;
  readonly all: readonly string[];
}

/** Who answers at a control address: the instance with this secret, some other one, or nobody. */
export type ControlAnswer = 'ours' | 'other' | 'nobody';

export interface ControlApi {
  ask(control: Control): Promise<ControlAnswer>;
  /** Points a selector at one of its members; false when the engine refuses. */
  select(control: Control, selector: string, member: string): Promise<boolean>;
  /** The selectors there are, by tag. @throws what the connection says */
  selectors(control: Control): Promise<ReadonlyMap<string, ControlGroup>>;
  /** The mode that it is in. @throws what the connection says */
  mode(control: Control): Promise<string>;
  /** Changes the mode; false when it is in another one afterwards, for the engine takes any word. */
  setMode(control: Control, mode: string): Promise<boolean>;
  /** What it carries. @throws what the connection says */
  connections(control: Control): Promise<Carried>;
}

export interface Carried {
  /** Connections, and flows of UDP. */
  readonly open: number;
  /** Since its start, both ways. */
  readonly bytes: number;
}

/** A few thousand nodes with their history take about a megabyte. */
const maxAnswerBytes = 16 * 1024 * 1024;

export function createControlApi(timeoutMs: number): ControlApi {
  const readMode = async (control: Control): Promise<string> => {
    const { text } = await call(control, { path: '/configs', timeoutMs, isRead: true });
    const { mode } = JSON.parse(text) as { mode?: unknown };
    return typeof mode === 'string' ? mode : '';
  };
  return {
    async ask(control) {
      const answer = await call(control, { path: singBox.control.path, timeoutMs }).catch(() => undefined);
      if (answer === undefined) return 'nobody';
      return answer.status === 200 ? 'ours' : 'other';
    },
    async select(control, selector, member) {
      const path = `/proxies/${encodeURIComponent(selector)}`;
      const body = JSON.stringify({ name: member });
      const answer = await call(control, { path, method: 'PUT', body, timeoutMs }).catch(() => undefined);
      return answer?.status === 204;
    },
    async selectors(control) {
      const { text } = await call(control, { path: '/proxies', timeoutMs, isRead: true });
      const { proxies = {} } = JSON.parse(text) as {
        proxies?: Record<string, Partial<ControlGroup> & { type?: string }>;
      };
      return new Map(
        Object.entries(proxies).flatMap(([tag, { type, now, all = [] }]): [string, ControlGroup][] =>
          type === 'Selector' && now !== undefined ? [[tag, { now, all }]] : [],
        ),
      );
    },
    mode: readMode,
    async setMode(control, mode) {
      const body = JSON.stringify({ mode });
      const answer = await call(control, { path: '/configs', method: 'PATCH', body, timeoutMs }).catch(() => undefined);
      if (answer?.status !== 204) return false;
      return isSameMode(await readMode(control).catch(() => ''), mode);
    },
    async connections(control) {
      const { text } = await call(control, { path: '/connections', timeoutMs, isRead: true });
      const {
        connections,
        uploadTotal = 0,
        downloadTotal = 0,
      } = JSON.parse(text) as {
        connections?: unknown;
        uploadTotal?: number;
        downloadTotal?: number;
      };
      return { open: Array.isArray(connections) ? connections.length : 0, bytes: uploadTotal + downloadTotal };
    },
  };
}

/** The engine writes modes as it likes. */
export const isSameMode = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

interface Call {
  readonly path: string;
  readonly method?: string;
  readonly body?: string;
  readonly timeoutMs: number;
  /** Otherwise the body of the answer is thrown away. */
  readonly isRead?: boolean;
}

/** A connection of its own each time: one kept alive would reach the old instance. */
async function call(
  { address, secret }: Control,
  { path, method = 'GET', body, timeoutMs, isRead = false }: Call,
): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(`http://${address}`);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request({
      agent: false,
      host: hostname,
      port,
      path,
      method,
      headers: { ...singBox.control.header(secret), connection: 'close', 'content-type': 'application/json' },
      signal: AbortSignal.timeout(timeoutMs),
    });
    sent.once('error', reject);
    sent.once('response', resolve);
    sent.end(body);
  });
  const status = response.statusCode ?? 0;
  if (isRead) return { status, text: await readLimited(response) };
  response.on('error', () => {}).resume();
  return { status, text: '' };
}

async function readLimited(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxAnswerBytes) throw new Error(`the control API answers more than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
