import { createHash } from 'node:crypto';
import { anonymous, createGatekeeper, mount, type App, type Handlers, type MountOptions } from '@sbox/daemon/serve';
import { agentRoutes, operatorContract, route, singleSignOn, type BytesAnswer } from '@sbox/protocol';
import { asyncapi } from '@sbox/protocol/asyncapi';
import { openapi, openapi30 } from '@sbox/protocol/openapi';
import { referencePage, referenceStyle } from './reference-page.ts';

export interface DocumentsOptions {
  /** Of sbox. */
  readonly version: string;
  /** Who comes in, and how often; everybody, and always, without it. */
  readonly gate?: Omit<MountOptions, 'maxBodyBytes'>;
}

const styleDigest = createHash('sha256').update(referenceStyle).digest('base64');
const pageHeaders = {
  'content-security-policy': `default-src 'none'; style-src 'sha256-${styleDigest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
};

/** The description of the API, for programs and for people. Open to all: it says nothing about this installation. */
export function mountDocuments(app: App, { version, gate = open }: DocumentsOptions): void {
  const info = { title: 'sbox manager', version, description: 'Runs fleets of proxy servers.' };
  const document = once(() => openapi({ ...operatorContract, singleSignOn, agents: agentRoutes }, info));
  const json = (make: () => unknown) => once(() => JSON.stringify(make()));
  const page = once(() => referencePage(document()));
  const handlers: Handlers<typeof documents> = {
    openapi: answer(json(document)),
    openapi30: answer(json(() => openapi30(document()))),
    asyncapi: answer(json(() => asyncapi(info))),
    reference: answer(page, pageHeaders),
  };
  // Addresses with a query were always served: it means nothing here.
  mount(app, documents, handlers, { ...gate, isTolerant: true, maxBodyBytes: 0 });
}

const open = { gatekeeper: createGatekeeper({ authenticate: async () => await Promise.resolve(anonymous) }) };

const document = <const P extends `/${string}`, const T extends string>(id: string, path: P, bytes: T) =>
  route({
    id,
    method: 'get',
    path,
    summary: 'A document of the API',
    permission: 'public',
    ok: { status: 200, bytes },
    problems: [],
    example: {},
  });

/** No operations of the API; they pass its gate all the same. */
const documents = {
  openapi: document('getOpenapi', '/openapi.json', 'application/json'),
  openapi30: document('getOpenapi30', '/openapi-3.0.json', 'application/json'),
  asyncapi: document('getAsyncapi', '/asyncapi.json', 'application/json'),
  reference: document('getReference', '/docs', 'text/html; charset=utf-8'),
};

const answer =
  (text: () => string, headers: Readonly<Record<string, string>> = {}) =>
  async (): Promise<BytesAnswer> =>
    await Promise.resolve({ bytes: Buffer.from(text()), etag: undefined, headers });

/** Made at the first request: most managers are never asked. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
