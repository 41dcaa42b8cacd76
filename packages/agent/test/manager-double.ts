import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  createNewId,
  formatJoinToken,
  fromBase64,
  isoTime,
  payloadTypes,
  ProblemError,
  sealEnvelope,
  toBase64,
  type Clock,
} from '@sbox/core';
import { X509Certificate } from 'node:crypto';
import { createHub } from '@sbox/daemon/hub';
import { createKeyPair, randomBytes, readPublicKey, sha256, type KeyPair, type PublicKey } from '@sbox/daemon/keys';
import { silentLogger } from '@sbox/daemon/log';
import {
  createApp,
  createGatekeeper,
  mount,
  startListener,
  type Caller,
  type Gatekeeper,
  type Handlers,
  type Listener,
} from '@sbox/daemon/serve';
import { verifyRequest } from '@sbox/daemon/signature';
import {
  agentFrameSchema,
  agentRoutes,
  agentStreamPath,
  agentSubprotocol,
  enrolProofText,
  keyProofText,
  type AgentFrame,
  type AgentStatus,
  type Manifest,
  type ManagerFrame,
} from '@sbox/protocol';
import { WebSocketServer, type WebSocket } from 'ws';
import type { TestCertificates } from './certificates.ts';

export type Fault = 'html' | 'garbage' | 'error' | 'busy' | 'lost-answer' | 'revoked' | 'reset';

export interface ManagerDoubleOptions {
  readonly clock: Clock;
  readonly certificates?: TestCertificates;
  readonly hasSocket?: boolean;
  /** `host:port`; any free port of loopback otherwise. */
  readonly address?: string;
  readonly keys?: ManagerKeys;
}

export interface ManagerKeys {
  readonly root: KeyPair;
  readonly online: KeyPair;
}

/** A manager that believes and signs like the real one, on a real listener, and can be told to misbehave. */
export interface ManagerDouble extends AsyncDisposable {
  readonly url: string;
  readonly keys: ManagerKeys;
  readonly pin: string;
  readonly statuses: AgentStatus[];
  readonly drafts: string[];
  readonly frames: AgentFrame[];
  readonly requests: { method: string; path: string; ifNoneMatch: string | undefined; prefer: string | undefined }[];
  readonly servers: Map<string, PublicKey>;
  /** Next keys that were brought and not used yet. */
  readonly candidates: Map<string, PublicKey>;
  readonly sockets: ReadonlySet<WebSocket>;
  joinToken(): string;
  /** Knows a server without its joining. */
  addServer(serverId: string, publicKey: Uint8Array): void;
  /** Signs and serves; waiting questions and sockets hear of it. */
  publish(manifest: Manifest, blobs?: readonly Uint8Array[], signer?: KeyPair): void;
  /** Serves these bytes as they are. */
  publishRaw(bytes: Uint8Array, etag: string): void;
  fault: Fault | undefined;
  /** Sends no hints of what it publishes. */
  isMute: boolean;
  /** Refuses new sockets while it is false. */
  hasSocket: boolean;
  /** How many questions for the manifest were open at once, at most. */
  readonly deepestDesired: number;
  /** How far its clock is from the one of the test. */
  skewMs: number;
  /** Replaces the online key, in a new version of the trust document. */
  rotate(): KeyPair;
  send(frame: ManagerFrame): void;
  trustDocument(): { root_key: string; trust: ReturnType<typeof sealEnvelope>; ca_pem: string | null };
}

const agentCaller = (id: string): Caller => ({ kind: 'server', id, name: id, permissions: new Set() });
const anybody: Caller = { kind: 'anonymous', id: '', name: '', permissions: new Set() };

export const digestOfBytes = (bytes: Uint8Array): string => `sha256:${Buffer.from(sha256(bytes)).toString('hex')}`;

export async function startManagerDouble(options: ManagerDoubleOptions): Promise<ManagerDouble> {
  const { certificates, address = '127.0.0.1:0' } = options;
  const root = options.keys?.root ?? createKeyPair();
  let online = options.keys?.online ?? createKeyPair();
  let trustVersion = 1;
  const newId = createNewId(randomBytes);
  const tokens = new Map<string, { secret: string; usedBy?: string; serverId?: string }>();
  const servers = new Map<string, PublicKey>();
  const candidates = new Map<string, PublicKey>();
  const blobs = new Map<string, Uint8Array>();
  const hub = createHub<number>();
  const sockets = new Set<WebSocket>();
  const record = {
    statuses: [] as AgentStatus[],
    drafts: [] as string[],
    frames: [] as AgentFrame[],
    requests: [] as ManagerDouble['requests'],
  };
  let desired: { bytes: Uint8Array; etag: string; manifest: Manifest | undefined } | undefined;
  const { hasSocket = true } = options;
  const state = { fault: undefined as Fault | undefined, skewMs: 0, isMute: false, hasSocket, asking: 0, deepest: 0 };
  const clock: Clock = { ...options.clock, now: () => options.clock.now() + state.skewMs };

  const trustDocument: ManagerDouble['trustDocument'] = () => {
    const trust = {
      schema: 1,
      version: trustVersion,
      keys: [{ keyid: online.keyid, public_key: toBase64(online.publicKey) }],
      ca_sha256: certificates ? Buffer.from(sha256(new X509Certificate(certificates.caPem).raw)).toString('hex') : null,
    };
    const sealed = sealEnvelope(payloadTypes.trust, Buffer.from(JSON.stringify(trust)), root.keyid, root.sign);
    return { root_key: toBase64(root.publicKey), trust: sealed, ca_pem: certificates?.caPem ?? null };
  };

  const lookup = async (id: string): Promise<PublicKey | undefined> => {
    if (state.fault === 'revoked') throw new ProblemError('auth.revoked', 'removed');
    const [known, candidate] = [servers.get(id), candidates.get(id)];
    if (!known || !candidate) return await Promise.resolve(known);
    return {
      keyid: known.keyid,
      verify(message, signature) {
        if (known.verify(message, signature)) return true;
        if (!candidate.verify(message, signature)) return false;
        servers.set(id, candidate);
        candidates.delete(id);
        return true;
      },
    };
  };
  const authenticate: Gatekeeper['authenticate'] = async (route, request) => {
    record.requests.push({
      method: request.method,
      path: request.path,
      ifNoneMatch: request.headers['if-none-match'],
      prefer: request.headers['prefer'],
    });
    if (route.permission !== 'agent') return anybody;
    return agentCaller(await verifyRequest(request, lookup, clock));
  };

  const handlers: Handlers<typeof agentRoutes> = {
    trust: async () => {
      const { root_key: rootKey, trust, ca_pem: caPem } = trustDocument();
      return await Promise.resolve({
        root_key: rootKey,
        trust: { ...trust, signatures: [...trust.signatures] },
        ca_pem: caPem,
      });
    },
    enrol: async ({ body }) => {
      const token = tokens.get(body.token_id);
      if (!token || token.secret !== body.secret) throw new ProblemError('join-token.invalid', 'no such token');
      if (token.usedBy !== undefined && token.usedBy !== body.public_key)
        throw new ProblemError('join-token.used', 'it was');
      const key = readPublicKey(fromBase64(body.public_key) ?? new Uint8Array());
      const proof = Buffer.from(enrolProofText(body.token_id, body.public_key));
      if (!key.verify(proof, fromBase64(body.proof) ?? new Uint8Array()))
        throw new ProblemError('auth.signature-invalid', 'no proof');
      token.usedBy = body.public_key;
      token.serverId ??= newId('srv');
      servers.set(token.serverId, key);
      if (state.fault === 'lost-answer') throw new Error('the answer is lost');
      return await Promise.resolve({ server_id: token.serverId, name: body.name, server_time: isoTime(clock.now()) });
    },
    desired: async ({ headers }, { gone }) => {
      const waitS = Number(/wait=(\d+)/.exec(headers.prefer ?? '')?.[1] ?? 0);
      state.asking += 1;
      state.deepest = Math.max(state.deepest, state.asking);
      try {
        if (desired && headers['if-none-match'] === desired.etag && waitS > 0)
          await hub.next('desired', waitS * 1000, gone());
      } finally {
        state.asking -= 1;
      }
      if (!desired) throw new ProblemError('server.not-assigned', 'nothing yet');
      const isKnown = headers['if-none-match'] === desired.etag;
      return { bytes: isKnown ? undefined : desired.bytes, etag: desired.etag };
    },
    blob: async ({ params }) => {
      const bytes = blobs.get(params.digest);
      if (!bytes) throw new ProblemError('blob.not-found', params.digest);
      return await Promise.resolve({ bytes, etag: undefined });
    },
    status: async ({ body }) => {
      record.statuses.push(body);
      const { manifest } = desired ?? {};
      return await Promise.resolve({
        ack_seq: body.seq,
        server_time: isoTime(clock.now()),
        desired: manifest ? { epoch: manifest.epoch, generation: manifest.generation } : null,
      });
    },
    keys: async ({ body }, { caller }) => {
      const key = readPublicKey(fromBase64(body.public_key) ?? new Uint8Array());
      const proof = Buffer.from(keyProofText(caller.id, body.public_key));
      if (!key.verify(proof, fromBase64(body.proof) ?? new Uint8Array()))
        throw new ProblemError('request.invalid', 'no proof');
      const isKnown = servers.get(caller.id)?.keyid === key.keyid;
      if (!isKnown) candidates.set(caller.id, key);
      if (state.fault === 'lost-answer') throw new Error('the answer is lost');
      return await Promise.resolve({ keyid: key.keyid, state: isKnown ? 'committed' : 'candidate' });
    },
    draft: async ({ body }) => {
      record.drafts.push(Buffer.from(body).toString('utf8'));
      return await Promise.resolve({ subscription: 'draft' });
    },
  };

  const app = createApp({ log: silentLogger, clock, newId });
  mount(app, agentRoutes, handlers, { gatekeeper: createGatekeeper({ authenticate }), maxBodyBytes: 1024 * 1024 });
  const socketServer = new WebSocketServer({ noServer: true, handleProtocols: () => agentSubprotocol });
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const readBody = async () => await Promise.resolve(new Uint8Array());
    const signed = { method: 'GET', path: request.url ?? '', headers, readBody };
    const refuse = (status: string): void => void socket.end(`HTTP/1.1 ${status}\r\n\r\n`);
    const admit = async (): Promise<void> => {
      await verifyRequest(signed, lookup, clock);
      if (!state.hasSocket || request.url !== agentStreamPath) refuse('403 Forbidden');
      else socketServer.handleUpgrade(request, socket, head, welcome);
    };
    admit().catch(() => refuse('401 Unauthorized'));
  };
  const welcome = (socket: WebSocket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('message', (data: Buffer) =>
      record.frames.push(agentFrameSchema.parse(JSON.parse(data.toString('utf8')))),
    );
    const frame: ManagerFrame = {
      type: 'welcome',
      timestamp: isoTime(clock.now()),
      data: { server_time: isoTime(clock.now()), heartbeat_ms: 1000, desired: null },
    };
    socket.send(JSON.stringify(frame));
  };
  const faults: { [F in Fault]?: () => Response } = {
    html: () =>
      new Response('<!doctype html><title>Sign in</title>', { status: 200, headers: { 'content-type': 'text/html' } }),
    garbage: () => new Response(randomBytes(100) as Uint8Array<ArrayBuffer>, { status: 200 }),
    error: () => new Response('oops', { status: 500 }),
    busy: () => new Response('', { status: 503, headers: { 'retry-after': '7' } }),
  };
  const listener: Listener = await startListener({
    address,
    upgrade,
    ...(certificates ? { tls: { key: certificates.keyPem, cert: certificates.certPem } } : {}),
    fetch: async (request, env) => faults[state.fault as Fault]?.() ?? (await app.fetch(request, env)),
  });

  const send = (frame: ManagerFrame): void => {
    for (const socket of sockets) socket.send(JSON.stringify(frame));
  };
  return {
    ...record,
    servers,
    candidates,
    sockets,
    send,
    url: listener.url,
    pin: digestOfBytes(root.publicKey),
    get keys() {
      return { root, online };
    },
    get fault() {
      return state.fault;
    },
    set fault(fault) {
      state.fault = fault;
    },
    get isMute() {
      return state.isMute;
    },
    set isMute(isMute) {
      state.isMute = isMute;
    },
    get hasSocket() {
      return state.hasSocket;
    },
    set hasSocket(hasIt) {
      state.hasSocket = hasIt;
    },
    get deepestDesired() {
      return state.deepest;
    },
    get skewMs() {
      return state.skewMs;
    },
    set skewMs(ms) {
      state.skewMs = ms;
    },
    joinToken() {
      const id = newId('jt').replace('jt_', '');
      const secret = Buffer.from(randomBytes(32)).toString('hex');
      tokens.set(id, { secret });
      return formatJoinToken({ id, secret, pin: sha256(root.publicKey) });
    },
    addServer: (serverId, publicKey) => void servers.set(serverId, readPublicKey(publicKey)),
    publish(manifest, contents = [], signer = online) {
      for (const content of contents) blobs.set(digestOfBytes(content), content);
      const body = Buffer.from(JSON.stringify(manifest));
      const bytes = Buffer.from(JSON.stringify(sealEnvelope(payloadTypes.manifest, body, signer.keyid, signer.sign)));
      desired = {
        bytes,
        manifest,
        etag: `"${manifest.epoch}.${manifest.generation}.${digestOfBytes(bytes).slice(7, 23)}"`,
      };
      hub.publish('desired', manifest.generation);
      const { epoch, generation } = manifest;
      if (!state.isMute) send({ type: 'hint', timestamp: isoTime(clock.now()), data: { epoch, generation } });
    },
    publishRaw(bytes, etag) {
      desired = { bytes, etag, manifest: undefined };
      hub.publish('desired', 0);
    },
    rotate() {
      online = createKeyPair();
      trustVersion += 1;
      return online;
    },
    trustDocument,
    async [Symbol.asyncDispose]() {
      hub.publish('desired', -1);
      for (const socket of sockets) socket.terminate();
      await listener[Symbol.asyncDispose]();
    },
  };
}
