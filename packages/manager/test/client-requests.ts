import { request } from 'node:http';
import type { RouteInput, operatorContract } from '@sbox/protocol';
import { openManager, type TestManager } from './open-manager.ts';

/** One node of each kind; clash and sing-box cannot run the last one, and the builds of tests have no uTLS for Reality. */
export const nodeLinks = [
  'trojan://example-password@192.0.2.1:443?sni=a.example.test#Berlin',
  'vless://3f1b2c4d-0000-4000-8000-00000000a001@192.0.2.2:443?security=tls&sni=b.example.test&type=ws&path=%2Fws#Paris',
  'ss://YWVzLTEyOC1nY206ZXhhbXBsZS1wYXNz@192.0.2.3:8388#Tokyo',
  'hysteria2://example-password@192.0.2.4:443?sni=d.example.test&obfs=salamander&obfs-password=example#Oslo',
  'tuic://3f1b2c4d-0000-4000-8000-00000000a005:example-password@192.0.2.5:443?sni=e.example.test&congestion_control=bbr#Lima',
  'juicity://3f1b2c4d-0000-4000-8000-00000000a006:example-password@192.0.2.6:443?sni=f.example.test#Rome',
];

export interface SubAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** A request with exactly these headers, as a program of a client would send it. */
export async function ask(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'GET',
): Promise<SubAnswer> {
  return await new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: { ...headers }, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('error', reject);
      response.once('end', () => {
        const named = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
        resolve({ status: response.statusCode ?? 0, headers: Object.fromEntries(named), text });
      });
    });
    sent.once('error', reject).end();
  });
}

/** What differs between two refusals that are the same. */
export const constant = ({ status, headers, text }: SubAnswer) => {
  const { 'x-request-id': id = '', date: _, ratelimit: __, ...rest } = headers;
  return { status, rest, text: text.replace(id, '') };
};

type Written = Partial<RouteInput<typeof operatorContract.clients.create>['body']>;

/** A manager with a config `home` and a client `phone` that takes it. */
export async function openServed(
  written: Written = {},
  settings: Parameters<typeof openManager>[0] = {},
  overrides: Parameters<typeof openManager>[1] = {},
): Promise<TestManager & { readonly link: string }> {
  const most = 100_000;
  const limits = { anonymous: most, token: most, agent: most, enrol: most, login: most, sub: most };
  const manager = await openManager({ limits, ...settings }, overrides);
  const { client } = manager;
  await client.subscriptions.add({
    body: { name: 'demo', source: { type: 'inline', text: nodeLinks.join('\n') } },
  });
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  const { link } = await client.clients.create({ body: { name: 'phone', config: 'home', ...written } });
  return Object.assign(manager, { link: link ?? '' });
}
