import { createHash } from 'node:crypto';
import { refuseOtherMethods, type App } from '@sbox/daemon/serve';
import { agentRoutes, operatorContract } from '@sbox/protocol';
import { asyncapi } from '@sbox/protocol/asyncapi';
import { openapi, openapi30 } from '@sbox/protocol/openapi';
import { referencePage, referenceStyle } from './reference-page.ts';

export interface DocumentsOptions {
  /** Of sbox. */
  readonly version: string;
}

const styleDigest = createHash('sha256').update(referenceStyle).digest('base64');
const pageHeaders = {
  'content-security-policy': `default-src 'none'; style-src 'sha256-${styleDigest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
};

/** The description of the API, for programs and for people. Open to all: it says nothing about this installation. */
export function mountDocuments(app: App, { version }: DocumentsOptions): void {
  const info = { title: 'sbox manager', version, description: 'Runs fleets of proxy servers.' };
  const document = once(() => openapi({ ...operatorContract, agents: agentRoutes }, info));
  const json = (make: () => unknown) => once(() => JSON.stringify(make()));
  const documents = [
    { path: '/openapi.json', type: 'application/json', text: json(document) },
    { path: '/openapi-3.0.json', type: 'application/json', text: json(() => openapi30(document())) },
    { path: '/asyncapi.json', type: 'application/json', text: json(() => asyncapi(info)) },
    {
      path: '/docs',
      type: 'text/html; charset=utf-8',
      text: once(() => referencePage(document())),
      headers: pageHeaders,
    },
  ];
  for (const { path, type, text, headers } of documents) {
    app.get(path, (c) => c.body(text(), 200, { 'content-type': type, ...headers }));
    refuseOtherMethods(app, path, ['GET']);
  }
}

/** Made at the first request: most managers are never asked. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
