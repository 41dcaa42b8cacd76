import * as z from 'zod/mini';
import { route } from '../route.ts';
import { countSchema, idSchema, looseEnum, nameSchema } from '../schema.ts';
import { envelopeSchema } from './manifest.ts';
import { agentFactsSchema, agentStatusSchema, exampleStatus } from './status.ts';

const engineSchema = z.object({ kind: z.string(), version: z.string(), tags: z.array(z.string()) });
const signed = ['auth.signature-missing', 'auth.signature-invalid', 'auth.clock-skew', 'auth.revoked'] as const;

export const enrolBodySchema = z.object({
  token_id: idSchema,
  secret: z.string(),
  /** Ed25519, SPKI in base64. */
  public_key: z.string(),
  /** Signature of `sbox-enrol\n<token_id>\n<public_key>` in base64: the sender holds the private key. */
  proof: z.string(),
  name: nameSchema,
  agent: agentFactsSchema,
  engines: z.array(engineSchema),
});

/** The text whose signature proves that the private key of a server's next key is held. */
export const keyProofText = (serverId: string, publicKey: string): string => `sbox-key\n${serverId}\n${publicKey}`;

/** Which run of an agent asks, on every request: two machines with one identity show by it. */
export const bootHeader = 'sbox-boot';

/** The text whose signature proves that the private key is held. */
export const enrolProofText = (tokenId: string, publicKey: string): string => `sbox-enrol\n${tokenId}\n${publicKey}`;

/**
 * What agents ask for. Every call but `trust` and `enrol` is signed (RFC 9421); hints on the socket only say that there
 * is something new, state always comes through `desired`.
 */
export const agentRoutes = {
  trust: route({
    id: 'getTrust',
    method: 'get',
    path: '/api/agent/v1/trust',
    summary: 'Root key, trust document and CA; checked against the pin of a join token before anything secret is sent',
    permission: 'public',
    ok: {
      status: 200,
      schema: z.object({ root_key: z.string(), trust: envelopeSchema, ca_pem: z.nullable(z.string()) }),
    },
    problems: [],
    example: {},
  }),
  enrol: route({
    id: 'enrol',
    method: 'post',
    path: '/api/agent/v1/enrol',
    summary: 'Burn a join token; the same key may repeat it while the token is fresh, for a lost answer',
    permission: 'public',
    body: enrolBodySchema,
    ok: { status: 201, schema: z.object({ server_id: idSchema, name: nameSchema, server_time: z.string() }) },
    problems: [
      'request.invalid',
      'join-token.invalid',
      'join-token.used',
      'join-token.expired',
      'request.rate-limited',
    ],
    example: {
      body: {
        token_id: '{join-token}',
        secret: '{secret}',
        public_key: '{public-key}',
        proof: '{proof}',
        name: 'example',
        agent: { version: '0.1.0', os: 'linux', arch: 'x64', host_name: 'example' },
        engines: [],
      },
    },
  }),
  desired: route({
    id: 'getDesired',
    method: 'get',
    path: '/api/agent/v1/desired',
    summary:
      'The signed manifest of the caller; waits up to `Prefer: wait=<seconds>` while it is the one in If-None-Match',
    permission: 'agent',
    headers: z.object({
      'if-none-match': z.optional(z.string()),
      prefer: z.optional(z.string()),
      [bootHeader]: z.optional(z.string()),
    }),
    ok: { status: 200, bytes: 'application/vnd.dsse+json' },
    problems: ['server.not-assigned', 'server.identity-cloned', ...signed],
    example: {},
  }),
  blob: route({
    id: 'getBlob',
    method: 'get',
    path: '/api/agent/v1/blobs/{digest}',
    summary: 'Content by digest, or a range of it; only what the manifests of the caller name',
    permission: 'agent',
    params: z.object({ digest: z.string() }),
    headers: z.object({
      'accept-encoding': z.optional(z.string()),
      /** One range of bytes of the content as it is, never of a compressed form. */
      range: z.optional(z.string()),
      'if-range': z.optional(z.string()),
    }),
    ok: { status: 200, bytes: 'application/octet-stream' },
    problems: ['blob.not-found', ...signed],
    example: { params: { digest: '{digest}' } },
  }),
  status: route({
    id: 'postStatus',
    method: 'post',
    path: '/api/agent/v1/status',
    summary: 'Say how things are; idempotent by boot id and seq',
    permission: 'agent',
    body: agentStatusSchema,
    ok: {
      status: 200,
      schema: z.object({
        ack_seq: countSchema,
        server_time: z.string(),
        /** The newest generation there is for the caller. */
        desired: z.nullable(z.object({ epoch: countSchema, generation: countSchema })),
      }),
    },
    problems: ['request.invalid', 'server.identity-cloned', ...signed],
    example: { body: exampleStatus },
  }),
  keys: route({
    id: 'postKey',
    method: 'post',
    path: '/api/agent/v1/keys',
    summary:
      'Bring the next key of the caller: the one in use stays good until a request signed by the next one comes. May be repeated',
    permission: 'agent',
    body: z.object({
      /** Ed25519, SPKI in base64. */
      public_key: z.string(),
      /** Signature of `sbox-key\n<server_id>\n<public_key>` in base64. */
      proof: z.string(),
    }),
    ok: {
      status: 202,
      schema: z.object({
        keyid: z.string(),
        /** `committed`: it is the one in use by now, and no other is good any more. */
        state: looseEnum(['candidate', 'committed']),
      }),
    },
    problems: ['request.invalid', ...signed],
    example: { body: { public_key: '{next-public-key}', proof: '{next-proof}' } },
  }),
  draft: route({
    id: 'postDraft',
    method: 'post',
    path: '/api/agent/v1/drafts',
    summary: 'Hand in a config that was imported by file while the manager was away (`on_return: adopt`)',
    permission: 'agent',
    rawBody: 'application/json',
    ok: { status: 202, schema: z.object({ subscription: nameSchema }) },
    problems: ['request.too-large', ...signed],
    example: {},
  }),
};

export type EnrolBody = z.output<typeof enrolBodySchema>;
export type EngineReport = z.output<typeof engineSchema>;
