import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encodeBase62, parseJoinToken, ProblemError, toBase64, fromBase64 } from '@sbox/core';
import { createKeyPair, type KeyPair } from '@sbox/daemon/keys';
import { createLogger } from '@sbox/daemon/log';
import { systemClock } from '@sbox/core';
import { signRequest } from '@sbox/daemon/signature';
import {
  agentRoutes,
  createClient,
  enrolProofText,
  operatorContract,
  type AgentStatus,
  type Client,
  type Manifest,
  type OperatorContract,
  type Transport,
} from '@sbox/protocol';
import * as z from 'zod/mini';
import { startManager, type Manager, type ManagerOverrides } from '../src/manager.ts';
import { settingsSchema, type ManagerSettings } from '../src/settings.ts';

type Headers = Record<string, string>;

/** Carries requests over fetch, with what `sign` adds. */
export const createTransport =
  (url: string, sign: (request: Parameters<Transport>[0]) => Promise<Headers> | Headers): Transport =>
  async (request) => {
    const headers = { ...request.headers, ...(await sign(request)) };
    const answer = await fetch(`${url}${request.path}`, {
      method: request.method,
      headers,
      ...(request.body === undefined ? {} : { body: request.body as Uint8Array<ArrayBuffer> }),
      ...(request.signal ? { signal: request.signal } : {}),
    });
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: new Uint8Array(await answer.arrayBuffer()),
    };
  };

export interface TestManager extends AsyncDisposable {
  readonly directory: string;
  readonly manager: Manager;
  readonly adminToken: string;
  readonly client: Client<OperatorContract>;
  clientOf(token: string): Client<OperatorContract>;
  /** Ends the manager and starts another on the same data. */
  /** `between` runs while nobody has the data. */
  restart(change?: Partial<ManagerSettings>, between?: () => Promise<void>): Promise<void>;
}

/** A manager on a free port with data of its own, and a client that may do everything. */
export async function openManager(
  settings: z.input<typeof settingsSchema> = {},
  overrides: ManagerOverrides = {},
): Promise<TestManager> {
  const directory = await mkdtemp(path.join(tmpdir(), 'sbox-manager-'));
  const complete: ManagerSettings = z.parse(settingsSchema, {
    data_dir: path.join(directory, 'data'),
    listen: [{ address: '127.0.0.1:0' }],
    limits: { anonymous: 100_000, token: 100_000, agent: 100_000, enrol: 100_000, login: 100_000 },
    ...settings,
  });
  const undeclared = new Set<string>();
  const log = createLogger(({ msg, route_id, code }) => {
    if (msg === 'problem is not declared by its route') undeclared.add(`${String(route_id)}: ${String(code)}`);
  }, 'warn');
  // Passwords are hashed in passing: what a hash costs is measured elsewhere.
  const world = { log, passwordCost: { ln: 8, r: 8, p: 1 }, ...overrides };
  let manager = await startManager(complete, world);
  const adminToken = (await readFile(manager.adminTokenFile, 'utf8')).trim();
  const clientOf = (token: string): Client<OperatorContract> =>
    createClient(
      operatorContract,
      async (request) => await createTransport(manager.url, () => ({ authorization: `Bearer ${token}` }))(request),
    );
  return {
    directory,
    get manager() {
      return manager;
    },
    adminToken,
    client: clientOf(adminToken),
    clientOf,
    async restart(change = {}, between = async () => await Promise.resolve()) {
      await manager[Symbol.asyncDispose]();
      await between();
      manager = await startManager({ ...complete, ...change }, world);
    },
    async [Symbol.asyncDispose]() {
      await manager[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
      // What a route may answer stands in the documents: a problem that does not has to be added to its route.
      if (undeclared.size > 0) throw new Error(`routes do not declare: ${[...undeclared].join(', ')}`);
    },
  };
}

export interface TestAgent {
  readonly id: string;
  readonly name: string;
  readonly key: KeyPair;
  readonly client: Client<typeof agentRoutes>;
  /** The client of people, with the key of the agent. */
  readonly operator: Client<OperatorContract>;
  /** Asks for the manifest and opens its payload; undefined for 304. */
  manifest(headers?: Headers): Promise<{ etag: string; manifest: Manifest } | undefined>;
  say(change?: Partial<AgentStatus>): Promise<void>;
  /** Fetches the newest manifest and says that it is committed. */
  commit(): Promise<Manifest>;
  /** The same, but refuses it. */
  refuse(code?: string): Promise<Manifest>;
}

let boots = 0;
const testEngine = {
  kind: 'sing-box',
  version: '1.14.4',
  tags: ['with_quic', 'with_utls', 'with_wireguard', 'with_gvisor', 'with_clash_api'],
};

export const enrolBody = (token: string, key: KeyPair, name: string) => {
  const { id, secret } = parseJoinToken(token);
  const public_key = toBase64(key.publicKey);
  return {
    token_id: id,
    secret,
    public_key,
    name,
    engines: [testEngine],
    proof: toBase64(key.sign(Buffer.from(enrolProofText(id, public_key)))),
    agent: { version: '0.1.0', os: 'linux', arch: 'x64', host_name: name },
  };
};

const withFeatures = (body: ReturnType<typeof enrolBody>, features: readonly string[] | undefined) =>
  features === undefined ? body : { ...body, agent: { ...body.agent, features: [...features] } };

/** What an agent does on the wire, and nothing of what it does with engines. */
export async function joinAgent(
  manager: TestManager,
  name: string,
  key = createKeyPair(),
  features?: readonly string[],
): Promise<TestAgent> {
  const { token } = await manager.client.joinTokens.create({ body: {} });
  const anonymous = createClient(
    agentRoutes,
    createTransport(manager.manager.url, () => ({})),
  );
  const { server_id: id, name: given } = await anonymous.enrol({
    body: withFeatures(enrolBody(token, key, name), features),
  });
  const signed: Transport = async (request) =>
    await createTransport(manager.manager.url, async ({ method, path: where, body = new Uint8Array() }) => {
      return await signRequest({ method, path: where, headers: {}, body }, id, key, systemClock);
    })(request);
  const client = createClient(agentRoutes, signed);
  boots += 1;
  const boot_id = encodeBase62(Buffer.from([boots]));
  let seq = 0;
  const said: AgentStatus = {
    boot_id,
    seq,
    sent_at: new Date().toISOString(),
    engines: [testEngine],
    phase: 'idle',
    agent: { version: '0.1.0', os: 'linux', arch: 'x64', host_name: name },
    observed: null,
    running: null,
    committed: null,
    conditions: [],
    units: [],
    nack: null,
  };
  const agent: TestAgent = {
    id,
    name: given,
    key,
    client,
    operator: createClient(operatorContract, signed),
    async manifest(headers = {}) {
      const { bytes, etag } = await client.desired({ headers });
      if (bytes === undefined) return undefined;
      const { payload } = JSON.parse(Buffer.from(bytes).toString()) as { payload: string };
      return { etag: etag ?? '', manifest: JSON.parse(Buffer.from(fromBase64(payload) ?? []).toString()) as Manifest };
    },
    async say(change = {}) {
      seq += 1;
      Object.assign(said, change, { seq });
      await client.status({ body: said });
    },
    async commit() {
      const order = (await agent.manifest())?.manifest;
      if (!order) throw new Error('no manifest');
      const generation = { epoch: order.epoch, generation: order.generation };
      const running = { ...generation, source: 'manager' as const, digest: order.units[0]?.config.digest ?? null };
      await agent.say({ phase: 'serving', observed: generation, running, nack: null });
      await agent.say({ phase: 'committed', committed: generation });
      return order;
    },
    async refuse(code = 'engine.check-failed') {
      const order = (await agent.manifest())?.manifest;
      if (!order) throw new Error('no manifest');
      const nack = {
        epoch: order.epoch,
        generation: order.generation,
        digest: null,
        stage: 'validate' as const,
        code,
        unit: 'main',
        message: 'it will not do',
        sticky: true,
        at: new Date().toISOString(),
        retry_at: null,
      };
      await agent.say({ phase: 'degraded', nack });
      return order;
    },
  };
  await agent.say();
  return agent;
}

/** The problem that something is refused with. */
export const problemOf = async (attempt: Promise<unknown>): Promise<ProblemError> =>
  await attempt.then(
    () => {
      throw new Error('it was taken');
    },
    (error: unknown) => error as ProblemError,
  );

export async function codeOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof ProblemError) return error.code;
    throw error;
  }
  return 'none';
}
