import { spawn } from 'node:child_process';
import path from 'node:path';
import { createNewId, hex, ProblemError, systemClock, type Clock, type Generation, type NewId } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import type { Logger } from '@sbox/daemon/log';
import { readJson, writeJson } from '@sbox/daemon/files';
import type { Nack } from '@sbox/protocol';
import { createEventRing, type EventRing } from './api/event-ring.ts';
import { startLocalApi } from './api/local-api.ts';
import { recordEvents } from './api/record-events.ts';
import { createEngineReports } from './engine-reports.ts';
import { createEngineStore } from './engines/engine-store.ts';
import { createEngineFinder, type EngineFinder } from './engines/find-engine.ts';
import { agentFacts } from './identity/agent-facts.ts';
import { openStateDirectory, readIdentity, statePaths, type Identity } from './identity/identity.ts';
import { openServerKeys } from './identity/server-keys.ts';
import { openStateLock } from './identity/state-lock.ts';
import { bundleLimits } from './import/bundle.ts';
import { startImportWatcher } from './import/import-watcher.ts';
import { createImporter, type Importer } from './import/importer.ts';
import type { Reconciler } from './order.ts';
import { createReconciler } from './reconciler.ts';
import { createFront } from './reload/front.ts';
import type { Mover } from './reload/mover.ts';
import { createRedirects } from './reload/redirects.ts';
import { applySettings } from './settings/apply-settings.ts';
import { engineCandidates } from './settings/engine-candidates.ts';
import type { AgentSettings } from './settings/schema.ts';
import { createDisk } from './state/disk.ts';
import { openManagerAddresses } from './sync/manager-addresses.ts';
import { openManagerLink, type ManagerLink } from './sync/manager-link.ts';
import { waysOf } from './sync/manager-way.ts';
import { nackOf } from './sync/manifest-intake.ts';
import { createServerClock, type ServerClock } from './sync/server-clock.ts';
import { startManagerSession, type ManagerSession } from './sync/session.ts';
import { createStatusSource, type ManagerView, type StatusSource } from './sync/status-source.ts';
import { readTrust, refetchTrust, writeTrust } from './trust/trust-store.ts';
import { version } from './version.ts';

export interface AgentOverrides {
  readonly log: Logger;
  readonly pid: number;
  /** The user that it runs as; files to import must be its own, or root's. */
  readonly uid: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** This program; what it runs as (`overlay`) is a child of its own. */
  readonly programFile: string;
  /** The Node that runs it. */
  readonly nodeFile: string;
  readonly kill: (pid: number, signal: NodeJS.Signals) => void;
  readonly clock?: Clock;
  readonly createReconciler?: typeof createReconciler;
}

export interface Agent extends AsyncDisposable {
  readonly identity: Identity | undefined;
  readonly reconciler: Reconciler;
  readonly statusSource: StatusSource;
  readonly socketFile: string;
  /** Where the local API listens over TCP, if the settings say so. */
  readonly apiAddress: string | undefined;
}

/** What every part of a running agent needs. */
interface Base extends Required<Omit<AgentOverrides, 'createReconciler'>> {
  readonly settings: AgentSettings;
  readonly stateDir: string;
  /** Of this run. */
  readonly bootId: string;
  readonly newId: NewId;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly events: EventRing;
  readonly serverClock: ServerClock;
}

/**
 * Builds everything and starts it: first what runs without a network, then the API, the manager and the imports. Engines
 * stay when it is disposed, unless `engine.stop_on_exit` says otherwise.
 * @throws ProblemError `agent.running`, `settings.*`, `port.in-use`
 */
export async function startAgent(settings: AgentSettings, overrides: AgentOverrides): Promise<Agent> {
  const base = createBase(settings, overrides);
  const { stateDir, events } = base;
  const socketFile = statePaths(stateDir).socket;
  await using started = new AsyncDisposableStack();
  await openStateDirectory(stateDir);
  started.use(await openStateLock({ stateDir, pid: base.pid }));
  let opened: ManagerLink | undefined;
  const engines = createEngineReports(createFinder(base), base.clock);
  const reconciler = started.use(await buildReconciler(base, overrides, () => isReachable(opened)));
  const imports = createImportVerdict(base);
  const link = (opened = started.use(await buildLink(base, reconciler, () => statusSource)));
  const statusSource = createStatusSource({
    ...base,
    engines: () => engines.known,
    reconciler,
    serverId: () => link.identity?.server_id,
    manager: () => viewOf(link),
    importRefusal: () => imports.refusal,
  });
  const recorder = started.use(recordEvents({ reconciler, status: statusSource.status, events }));
  // First of all what was running runs: neither a taken port nor a missing network may stand in the way.
  await reconciler.boot();
  const importer = buildImporter(base, reconciler, link);
  const api = started.use(
    await startLocalApi({
      ...base,
      settings: settings.api,
      socketFile,
      reconciler,
      statusSource,
      manager: () => link.session,
      serverId: () => link.identity?.server_id ?? null,
      importBundle: importer.takeBundle,
      openFile: importer.open,
      reloads: () => recorder.reloads,
    }),
  );
  await engines.look();
  started.use(engines.keepLooking());
  await link.start();
  started.use(startImports(base, importer, imports));
  events.add('agent.started', { version });
  const running = started.move();
  return {
    get identity() {
      return link.identity;
    },
    reconciler,
    statusSource,
    socketFile,
    apiAddress: api.address,
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}

function createBase(settings: AgentSettings, overrides: AgentOverrides): Base {
  const clock = overrides.clock ?? systemClock;
  const newId = createNewId(randomBytes);
  return {
    ...overrides,
    settings,
    stateDir: path.resolve(settings.state_dir),
    bootId: hex(randomBytes(8)),
    clock,
    newId,
    random: Math.random,
    events: createEventRing(clock, newId, 'agent'),
    serverClock: createServerClock(clock),
  };
}

const createFinder = ({ settings, environment, programFile, stateDir }: Base): EngineFinder =>
  createEngineFinder({
    spawn,
    candidates: engineCandidates({
      configured: settings.engine.sing_box,
      environment,
      programDir: path.dirname(programFile),
      stateDir,
    }),
  });

/** Builds that orders name, and the machine's own. */
const createStore = (base: Base): EngineFinder =>
  createEngineStore({
    stateDir: base.stateDir,
    own: createFinder(base),
    arch: agentFacts().arch,
    sources: base.settings.engine.source,
    keep: base.settings.engine.keep,
    spawn,
    disk: createDisk(),
    log: base.log,
  });

/** What `run` would apply with, on its own: to start what was good where no agent runs. */
export const openReconciler = async (settings: AgentSettings, overrides: AgentOverrides): Promise<Reconciler> =>
  await buildReconciler(createBase(settings, overrides), overrides, () => undefined);

const buildReconciler = async (
  base: Base,
  overrides: AgentOverrides,
  managerReachable: () => boolean | undefined,
): Promise<Reconciler> =>
  await (overrides.createReconciler ?? createReconciler)({
    ...base,
    managerReachable,
    settings: applySettings(base.settings),
    ports: base.settings.ports,
    engines: createStore(base),
    randomBytes,
    spawn,
    disk: createDisk(),
    overlay: [base.nodeFile, base.programFile, 'overlay'],
    stopEnginesOnDispose: base.settings.engine.stop_on_exit,
    machine: { mover: createMover(base) },
  });

/** What moves connections at a take-over, as the settings want it. */
function createMover(base: Base): Mover {
  const { settings, environment, ...rest } = base;
  if (settings.apply.swap === 'front') return createFront(base);
  const redirects = createRedirects({ ...rest, spawn, searchPath: environment['PATH'] });
  if (settings.apply.swap === 'auto') return redirects;
  // What an earlier setting left is taken down all the same.
  return { ...redirects, findProblem: async () => await Promise.resolve('the setting apply.swap is off') };
}

/** Undefined on a server without a manager: nothing that it could be cut off from. */
function isReachable(link: ManagerLink | undefined): boolean | undefined {
  if (link === undefined || (link.session === undefined && link.problem === null)) return undefined;
  return link.session?.reachability.isReachable ?? false;
}

const buildLink = async (base: Base, reconciler: Reconciler, status: () => StatusSource): Promise<ManagerLink> =>
  await openManagerLink({
    ...base,
    readIdentity: async () => await readIdentity(base.stateDir),
    openSession: async (identity) => await openSession(base, identity, reconciler, status()),
  });

function viewOf({ session, problem }: ManagerLink): ManagerView | undefined {
  if (!session)
    return problem === null ? undefined : { isReachable: false, reason: problem, refusal: null, drift: null };
  const { reachability, refusal, intake } = session;
  return { isReachable: reachability.isReachable, reason: reachability.reason, refusal, drift: intake.drift };
}

async function openSession(
  base: Base,
  identity: Identity,
  reconciler: Reconciler,
  statusSource: StatusSource,
): Promise<ManagerSession | undefined> {
  const { stateDir, settings } = base;
  const given = settings.manager.urls.length > 0 ? settings.manager.urls : identity.manager_urls;
  if (given.length === 0) return undefined;
  const trusted = await readTrust(stateDir, identity.pin);
  if (!trusted)
    throw new ProblemError('agent.not-joined', `${statePaths(stateDir).trust} is gone`, { fix: refetchTrust });
  return startManagerSession({
    ...base,
    identity,
    addresses: await openManagerAddresses({ ...base, serverId: identity.server_id, given, disk: createDisk() }),
    ways: waysOf(settings.manager, () => reconciler.wayOut()),
    keys: await openServerKeys(stateDir),
    onKeyRotated: (keyid) => base.events.add('server.key-rotated', { keyid }),
    trusted,
    reconciler,
    statusSource,
    storeTrust: async (fresh) => await writeTrust(stateDir, fresh),
    localText: async () => {
      const [rendition] = await reconciler.renditions();
      return rendition && Buffer.from(rendition.text);
    },
    agentVersion: version,
  });
}

function buildImporter(base: Base, reconciler: Reconciler, link: ManagerLink): Importer {
  const { stateDir, settings, clock, log, serverClock } = base;
  return createImporter({
    reconciler: {
      get state() {
        return reconciler.state;
      },
      offer(order) {
        // A manager may have moved while this server was cut off: the bundle brings its new address, too.
        if (order.source === 'bundle') void link.session?.learn(order.manifest);
        reconciler.offer(order);
      },
    },
    clock,
    log,
    settings: settings.import,
    agentVersion: version,
    identity: async () => await readIdentity(stateDir),
    trusted: async (pin) => await readTrust(stateDir, pin),
    storeTrust: async (trusted) => await writeTrust(stateDir, trusted),
    managerAwayMs: () => {
      const reachability = link.session?.reachability;
      return reachability?.isReachable ? undefined : (reachability?.awayMs() ?? Infinity);
    },
    lastManifest: () => link.session?.intake.last,
    onLocal: () => link.session?.forget(),
    nowMs: serverClock.now,
  });
}

interface ImportVerdict {
  /** The last refused file, until another one is taken. */
  readonly refusal: Nack | null;
  readonly onTaken: (file: string, generation: Generation) => void;
  readonly onRefused: (file: string, problem: ProblemError) => void;
}

function createImportVerdict({ clock, events }: Base): ImportVerdict {
  let refusal: Nack | null = null;
  return {
    get refusal() {
      return refusal;
    },
    onTaken(file, { epoch, generation }) {
      refusal = null;
      events.add('import.taken', { file: path.basename(file), epoch, generation });
    },
    onRefused(file, problem) {
      refusal = nackOf(problem, undefined, clock.now());
      events.add('import.refused', { file: path.basename(file), code: problem.code, detail: problem.message });
    },
  };
}

function startImports(base: Base, importer: Importer, { onTaken, onRefused }: ImportVerdict): AsyncDisposable {
  const { stateDir, settings, uid } = base;
  const takenFile = path.join(stateDir, 'imports.json');
  return startImportWatcher({
    ...base,
    directories: [statePaths(stateDir).inbox, path.resolve(settings.import.dir)],
    importer,
    taken: {
      read: async () => ((await readJson(takenFile)) ?? {}) as Record<string, string>,
      write: async (taken) => await writeJson(takenFile, taken),
    },
    onTaken,
    onRefused,
    rules: { uid, settleMs: settings.import.settle },
    maxFileBytes: bundleLimits.maxFileBytes,
    maxBundleBytes: bundleLimits.maxBytes,
  });
}
