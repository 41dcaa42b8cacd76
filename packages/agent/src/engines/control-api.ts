import { request } from 'node:http';
import { singBox } from '@sbox/engines/sing-box/run';

export interface Control {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  readonly secret: string;
}

/** Who answers at a control address: the instance with this secret, some other one, or nobody. */
export type ControlAnswer = 'ours' | 'other' | 'nobody';

export interface ControlApi {
  ask(control: Control): Promise<ControlAnswer>;
  /** Points a selector at one of its members; false when the engine refuses. */
  select(control: Control, selector: string, member: string): Promise<boolean>;
}

export function createControlApi(timeoutMs: number): ControlApi {
  return {
    async ask(control) {
      const status = await call(control, { path: singBox.control.path, timeoutMs }).catch(() => undefined);
      if (status === undefined) return 'nobody';
      return status === 200 ? 'ours' : 'other';
    },
    async select(control, selector, member) {
      const path = `/proxies/${encodeURIComponent(selector)}`;
      const body = JSON.stringify({ name: member });
      return (await call(control, { path, method: 'PUT', body, timeoutMs }).catch(() => undefined)) === 204;
    },
  };
}

interface Call {
  readonly path: string;
  readonly method?: string;
  readonly body?: string;
  readonly timeoutMs: number;
}

/** Status of the answer. A connection of its own each time: one kept alive would reach the old instance. */
async function call({ address, secret }: Control, { path, method = 'GET', body, timeoutMs }: Call): Promise<number> {
  const { hostname, port } = new URL(`http://${address}`);
  return await new Promise((resolve, reject) => {
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
    sent.once('response', (response) => {
      response.once('error', reject).resume();
      resolve(response.statusCode ?? 0);
    });
    sent.end(body);
  });
}
