import { chmod } from 'node:fs/promises';
import path from 'node:path';
import {
  createNewId,
  hex,
  ProblemError,
  systemClock,
  type Clock,
  type Generation,
  type NewId,
  type RandomBytes,
} from '@sbox/core';
import { openDirectory } from '@sbox/daemon/files';
import { createHub } from '@sbox/daemon/hub';
import { randomBytes as systemRandomBytes } from '@sbox/daemon/keys';
import { silentLogger, type Logger } from '@sbox/daemon/log';
import { createMetrics } from '@sbox/daemon/metrics';
import type { Lookup } from '@sbox/pipeline';
import * as z from 'zod/mini';
import { createAccess } from './access/access.ts';
import { createBoundsStep } from './access/bounds.ts';
import { createSessionAuthenticator } from './access/sessions.ts';
import { createBackground, type Background } from './background.ts';
import { createCertificateLook } from './certificates/follow-certificates.ts';
import { lockDataDirectory } from './data-lock.ts';
import { openDatabase } from './database/open-database.ts';
import { createStore, type Store } from './database/store.ts';
import { openDoors, type Door } from './doors.ts';
import { createFeatures, type Features, type FeaturesDeps } from './features.ts';
import { createAgentKeys, type AgentKeys } from './features/agents/agent-keys.ts';
import { createAgentsRoutes } from './features/agents/agents-routes.ts';
import { createCloneWatch, type CloneWatch } from './features/agents/clone-watch.ts';
import { createDesired, type Desired } from './features/agents/desired.ts';
import { createDrafts } from './features/agents/drafts.ts';
import { createEnrolment } from './features/agents/enrolment.ts';
import { createStream, type StreamDeps } from './features/agents/stream.ts';
import { createActing } from './features/audit/acting.ts';
import { createAudit } from './features/audit/audit.ts';
import { createKeptHead } from './features/audit/kept-head.ts';
import { openClientLinks } from './features/clients/client-links.ts';
import { createClientOrigin } from './features/clients/client-origin.ts';
import { openEngineFiles } from './features/engines/engine-files.ts';
import { openLocalEngine, type RunProgram } from './features/configs/engine-check.ts';
import { lookupBySystem } from './features/configs/inputs.ts';
import { createLogin } from './features/people/login.ts';
import { createPasswords, defaultPasswordCost, type PasswordCost } from './features/people/passwords.ts';
import { createOidcRoutes } from './features/people/oidc-routes.ts';
import { openOidc } from './features/people/open-oidc.ts';
import { createUsersService } from './features/people/users-service.ts';
import { fileValues, variableValues } from './features/settings/start-values.ts';
import { openPresence } from './features/servers/presence.ts';
import { createFetcher } from './fetching/fetcher.ts';
import { behindProxies } from './forwarded.ts';
import { createIdempotency } from './idempotency.ts';
import { openIdentity } from './identity.ts';
import { createKeyedQueue } from './keyed-queue.ts';
import { startLoops } from './loops.ts';
import { metricTable } from './metric-table.ts';
import { createOperators, type People } from './operators.ts';
import { runProgram } from './run-program.ts';
import { msOf, usesTls, type ManagerSettings } from './settings.ts';
import { version } from './version.ts';

/** The outside world, for tests to replace. */
export interface ManagerOverrides {
  readonly clock?: Clock;
  readonly log?: Logger;
  readonly random?: () => number;
  readonly randomBytes?: RandomBytes;
  readonly run?: RunProgram;
  readonly lookup?: Lookup;
  readonly passwordCost?: PasswordCost;
  /** Variables; those of `SBOXMGR_DEFAULTS__` are settings of configs. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export interface Manager extends AsyncDisposable {
  /** Of the first listener that serves people. */
  readonly url: string;
  readonly listeners: readonly Door[];
  readonly adminTokenFile: string;
  /** `sha256:` and the hex SHA-256 of the root key. */
  readonly pin: string;
  /** The certificate of the manager's own CA, for clients of its TLS listeners. */
  readonly caFile: string;
}

/** Everything that a manager is made of, built here and released in reverse. */
export async function startManager(settings: ManagerSettings, overrides: ManagerOverrides = {}): Promise<Manager> {
  z.config(z.locales.en());
  const world = { ...outsideWorld, ...overrides };
  const { clock, log, randomBytes } = world;
  const starts = { file: fileValues(settings.defaults), variable: variableValues(world.environment) };
  await using starting = new AsyncDisposableStack();
  const ground = await openGround(settings, { ...world, newId: createNewId(randomBytes) }, starting);
  const { identity, newId } = ground;
  const stopping = new AbortController();
  const background = createBackground(log.child({ component: 'background' }), clock, ground.acting.alone);
  const audit = starting.use(openAudit({ ...ground, clock, log }));
  const desired = createDesired(ground);
  const given = { ...world, ...ground, settings, background, desired, stopping: stopping.signal };
  const features = startFeatures(given, starting);
  starting.use(background);
  await audit.begin();
  await features.renewManifests();
  await features.settings.started(starts);

  const { access, agentKeys, adminTokenFile, isTokenNew } = await openAccess(settings, {
    ...ground,
    clock,
    randomBytes,
  });
  const gate = { gatekeeper: access.gatekeeper, addressOf: behindProxies(settings.trusted_proxies) };
  const people = await openPeople(settings, { ...ground, ...world }, starting);
  const pin = `sha256:${hex(identity.pin)}`;
  const idempotency = createIdempotency({ ...ground, clock });
  const system = { ...ground, brokenAudit: audit.broken, version, pin, startedMs: clock.now() };
  const { denied } = audit;
  const { agents, stream } = createAgentSide(settings, { ...given, ...gate, features, agentKeys, denied });
  const apps = {
    log,
    clock,
    newId,
    metrics: ground.metrics,
    ...gate,
    ...audit.gate,
    around: [createBoundsStep(ground.store), ...audit.gate.around],
    replay: idempotency,
    corsOrigins: settings.cors.origins,
    version,
    stream,
    operators: createOperators({ ...features, audit: audit.service }, system, people),
    singleSignOn: createOidcRoutes(people),
    agents,
  };
  const opened = starting.use(new AsyncDisposableStack());
  // Released before the doors: a socket that is open keeps its door from closing.
  starting.use(stream);
  const listeners = await openDoors(settings, identity.tls, apps, opened);
  for (const { port } of listeners) if (port !== undefined) ground.ownPorts.add(port);
  ground.clientOrigin.listening(listeners);
  const lookAtCertificates = createCertificateLook({ ...identity, listeners, log });
  startLoops({ ...ground, settings, clock, background, features, idempotency, stream, audit, lookAtCertificates });
  // Released first: nobody is kept waiting.
  starting.defer(() => stopping.abort(new ProblemError('internal.unavailable', 'the manager is stopping')));

  log.info('manager is ready', { pin, url: listeners[0]?.url });
  const running = starting.move();
  const url = (listeners.find(({ serves }) => serves.includes('api')) ?? listeners[0])?.url ?? '';
  if (isTokenNew) sayFirstToken(log, { url, adminTokenFile, caFile: identity.caFile });
  return {
    url,
    listeners,
    adminTokenFile,
    pin,
    caFile: identity.caFile,
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}

const openAudit = (ground: Awaited<ReturnType<typeof openGround>> & Pick<World, 'clock' | 'log'>) =>
  createAudit({
    ...ground,
    ...ground.identity,
    keptHead: createKeptHead(ground.directory),
    log: ground.log.child({ component: 'audit' }),
  });

/** The services; what they hold in memory is stored before they end. */
function startFeatures(deps: FeaturesDeps, stack: AsyncDisposableStack): Features {
  const features = createFeatures(deps);
  stack.defer(async () => {
    await features.statuses.flush();
    await features.clientFetches.flush();
    await deps.presence.flush();
  });
  return features;
}

type AgentSideDeps = World &
  Awaited<ReturnType<typeof openGround>> &
  Pick<StreamDeps, 'gatekeeper' | 'addressOf' | 'denied'> & {
    readonly desired: Desired;
    readonly background: Background;
    readonly features: Features;
    readonly agentKeys: AgentKeys;
    readonly stopping: AbortSignal;
  };

/** What servers talk to: their routes, and their socket. */
function createAgentSide({ agents: settings }: ManagerSettings, deps: AgentSideDeps) {
  const { features, identity } = deps;
  const clones = watchClones(deps);
  const { engines, statuses, greet } = features;
  const agents = createAgentsRoutes({
    ...deps,
    clones,
    engines,
    statuses,
    trust: identity.trust,
    enrol: createEnrolment({ ...deps, greet }),
    takeDraft: createDrafts({ ...deps, ...features }),
  });
  return { agents, stream: createStream({ ...deps, clones, settings }) };
}

interface ClonesDeps extends Pick<World, 'clock' | 'log'> {
  readonly store: Store;
  readonly background: Background;
}

const watchClones = ({ store, clock, log, background }: ClonesDeps): CloneWatch =>
  createCloneWatch({
    clock,
    onCloned: (server_id, detail) =>
      background.run('tell of a cloned identity', async () => {
        log.warn('two machines run with one identity', { server_id, detail });
        await store.events.add('server.identity-cloned', { server_id, detail });
      }),
  });

const outsideWorld: Required<ManagerOverrides> = {
  clock: systemClock,
  log: silentLogger,
  random: Math.random,
  randomBytes: systemRandomBytes,
  run: runProgram,
  lookup: lookupBySystem,
  passwordCost: defaultPasswordCost,
  environment: {},
};

type World = Required<ManagerOverrides> & { readonly newId: NewId };

/** What everything stands on: the data, who this manager is, and what it fetches and checks with. */
async function openGround(settings: ManagerSettings, world: World, stack: AsyncDisposableStack) {
  const { clock, newId, log, random, run } = world;
  // Before anything is written: settings that open a hole leave nothing behind.
  for (const listener of settings.listen) usesTls(listener, settings);
  const directory = path.resolve(settings.data_dir);
  await openDirectory(directory);
  await chmod(directory, 0o700);
  stack.use(lockDataDirectory(directory));
  const { db, ...database } = await openDatabase(path.join(directory, 'sbox.db'));
  stack.use(database);
  const metrics = createMetrics(metricTable);
  const published = (events: readonly { readonly type: string }[]): void => {
    for (const { type } of events) metrics.add('sbox_events_total', { type });
  };
  const acting = createActing();
  const store = createStore({ db, clock, newId, published, acting });
  const { allow, timeout, max_bytes, max_redirects } = settings.fetch;
  const limits = { allow, timeoutMs: msOf(timeout), maxBytes: max_bytes, maxRedirects: max_redirects };
  // Filled as the listeners open: only then are their ports known.
  const ownPorts = new Set<number>();
  const outside = { ...limits, clock, random, version, ownPorts };
  const fetcher = stack.use(createFetcher(outside));
  const ruleSetFetcher = stack.use(createFetcher({ ...outside, maxBytes: settings.rule_sets.max_bytes }));
  return {
    directory,
    db,
    acting,
    store,
    metrics,
    fetcher,
    ruleSetFetcher,
    ownPorts,
    newId,
    epoch: await raiseEpoch(store, settings.epoch),
    identity: await openIdentity(settings, directory, store.meta, clock),
    clientLinks: await openClientLinks(path.join(directory, 'keys', 'client-links.key'), world.randomBytes),
    clientOrigin: createClientOrigin(settings),
    presence: await openPresence(store, clock, 3 * msOf(settings.agents.heartbeat) + 10_000),
    engine: await openEngine(settings.engine.path, { run, log, filesDirectory: path.join(directory, 'check') }),
    engineFiles: await openEngineFiles(path.join(directory, 'engines', 'sha256')),
    queue: createKeyedQueue(),
    hints: createHub<Generation>(),
  };
}

/** The epoch never falls. */
async function raiseEpoch({ meta }: Store, wanted: number): Promise<number> {
  const epoch = Math.max(wanted, Number((await meta.get('epoch')) ?? 1));
  await meta.set('epoch', String(epoch));
  return epoch;
}

async function openEngine(
  file: string | undefined,
  { run, log, filesDirectory }: { run: RunProgram; log: Logger; filesDirectory: string },
) {
  if (file === undefined) return undefined;
  const engine = await openLocalEngine(file, run, filesDirectory);
  if (!engine) log.warn('engine does not run: versions are checked by the servers only', { path: file });
  return engine;
}

type AccessGround = Pick<Awaited<ReturnType<typeof openGround>>, 'store' | 'directory' | 'newId'>;
type AccessWorld = AccessGround & Pick<World, 'clock' | 'randomBytes'>;

async function openAccess(
  { limits, trusted_proxies: trustedProxies }: ManagerSettings,
  { store, directory, ...world }: AccessWorld,
) {
  const agentKeys = createAgentKeys({ store, clock: world.clock });
  const people = createSessionAuthenticator({ ...store, ...world, trustedProxies });
  const access = createAccess({ ...world, tokens: store.tokens, limits, agentKeys, authenticators: [people] });
  const adminTokenFile = path.join(directory, 'admin-token');
  // Where somebody may do everything, a first token that was revoked stays away.
  const isTokenNew =
    (await store.users.countOthers('admin', '')) === 0 && (await access.ensureAdminToken(adminTokenFile));
  return { access, agentKeys, adminTokenFile, isTokenNew };
}

/** Says where the first token is, and what to type with it; an address that stands for all of them is none to call. */
function sayFirstToken(
  log: Logger,
  { url, adminTokenFile, caFile }: Pick<Manager, 'url' | 'adminTokenFile' | 'caFile'>,
) {
  const address = url.replace(/\/\/(0\.0\.0\.0|\[::\]):/, '//127.0.0.1:');
  const ca = address.startsWith('https:') ? ` --ca-file ${caFile}` : '';
  log.info('the admin token was written; who can read its file may do everything', {
    file: adminTokenFile,
    next: `sboxmgr status --manager ${address} --token-file ${adminTokenFile}${ca}`,
  });
}

type PeopleWorld = AccessWorld & Pick<World, 'passwordCost'> & { readonly ownPorts: ReadonlySet<number> };

async function openPeople(
  settings: ManagerSettings,
  ground: PeopleWorld,
  stack: AsyncDisposableStack,
): Promise<People> {
  const { trusted_proxies: trustedProxies, oidc: { issuer } = {} } = settings;
  const world = { ...ground, issuer, passwords: createPasswords(ground.randomBytes, ground.passwordCost) };
  const oidc = await openOidc(settings, world, stack);
  return { tokens: ground, users: createUsersService(world), login: createLogin(world), oidc, trustedProxies };
}
