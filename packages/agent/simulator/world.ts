import { ProblemError, hex, type RandomBytes } from '@sbox/core';
import { createLogger } from '@sbox/daemon/log';
import type { Order, Reconciler } from '../src/order.ts';
import { createReconciler } from '../src/reconciler.ts';
import { createDisk } from '../src/state/disk.ts';
import { CrashDisk, type DiskOperation, type PowerLoss } from './crash-disk.ts';
import { Invariants } from './invariants.ts';
import type { Prng } from './prng.ts';
import { createSimEngines, createSimMachine, createSimOverlay, type MachineParts } from './sim-machine.ts';
import { SimManager, type Published } from './sim-manager.ts';
import { SimRedirects } from './sim-mover.ts';
import { SimProcesses } from './sim-processes.ts';
import { SimTime, type Life } from './sim-time.ts';
import { stateDir } from './state-dir.ts';

const [controlMs, pollEveryMs] = [1000, 60_000];

/** What ends when a step of the disk is reached: the agent, or the machine below it. */
export interface Stop {
  /** Steps from now on. */
  after: number;
  readonly what: 'agent' | PowerLoss;
}

export interface WorldOptions {
  readonly isTraced?: boolean;
  /** Engines that were replaced drain so long at most. */
  readonly longestConnectionMs?: number;
}

export interface DiskFault {
  readonly code: 'ENOSPC' | 'EROFS' | 'EIO';
}

const refusedBy: Readonly<Record<DiskFault['code'], (operation: DiskOperation, random: Prng) => boolean>> = {
  ENOSPC: (operation) => ['create', 'write', 'mkdir', 'symlink'].includes(operation),
  EROFS: (operation) => operation !== 'read' && operation !== 'sync',
  EIO: (_, random) => random.chance(0.4),
};

/** A server with an agent on it, its engines, its network and its manager. */
export class World implements Disposable {
  readonly time = new SimTime();
  readonly disk = new CrashDisk();
  readonly processes: SimProcesses;
  readonly redirects = new SimRedirects();
  readonly manager: SimManager;
  readonly invariants: Invariants;
  readonly surroundings = { isUplinkDown: false, engineVersion: '1.14.4' as string | undefined };
  readonly random: Prng;
  readonly trace: string[] = [];
  diskFault: DiskFault | undefined;
  /** For one step in particular. */
  diskFaultOf: (operation: DiskOperation, file: string) => boolean = () => false;
  isDiskSlow = false;
  /** Something could not be written, and so not be removed either. */
  hadDiskFault = false;
  /** Steps of the disk so far. */
  diskSteps = 0;
  agent: Reconciler | undefined;
  /** Whether whoever starts the agent again does so. */
  isKeptUp = true;
  #stop: Stop | undefined;
  #machine: Life = { name: 'machine', isOver: false };
  #life: Life = { name: 'agent', isOver: true };
  readonly #eternal: Life = { name: 'world', isOver: false };
  readonly #logs = new Map<string, string>();
  readonly #logFds = new Map<number, string>();
  readonly #agentRandom: Prng;
  readonly #diskRandom: Prng;
  readonly #isTraced: boolean;
  #lives = 0;

  constructor(random: Prng, options: WorldOptions = {}) {
    this.#isTraced = options.isTraced ?? false;
    this.random = random;
    [this.#agentRandom, this.#diskRandom] = [random.fork(), random.fork()];
    this.manager = new SimManager(random.fork());
    this.invariants = new Invariants(this);
    this.processes = new SimProcesses({
      time: this.time,
      disk: this.disk,
      random: random.fork(),
      machine: () => this.#machine,
      longestConnectionMs: options.longestConnectionMs ?? 20 * 60_000,
      logs: this.#logs,
      logOf: (fd) => this.#logFds.get(fd) ?? '',
      onRead: (process, file, bytes) => this.invariants.onRead(process, file, bytes),
      onBad: (words) => this.invariants.fail('I0', words),
      note: (words) => this.note(words),
    });
  }

  note(words: string): void {
    if (this.#isTraced) this.trace.push(`${(this.time.elapsedMs / 1000).toFixed(3).padStart(9)} ${words}`);
  }

  /** Lets time go by; everything that can be wrong is looked for at each moment at which something happened. */
  async pass(ms: number): Promise<void> {
    await this.time.pass(ms, () => this.invariants.look());
  }

  /** Later, as long as the world stands. */
  later(ms: number, happen: () => void): void {
    this.time.after(ms, this.#eternal, happen);
  }

  get isDiskBroken(): boolean {
    return this.diskFault !== undefined || this.isDiskSlow;
  }

  get isAgentUp(): boolean {
    return !this.#life.isOver;
  }

  startAgent(): void {
    if (this.isAgentUp || this.#machine.isOver) return;
    const life: Life = { name: `agent-${(this.#lives += 1)}`, isOver: false };
    this.#life = life;
    this.note(`${life.name} starts`);
    this.#boot(life).catch((error: unknown) => {
      if (life.isOver) return;
      this.note(`${life.name} does not come up: ${String(error)}`);
      this.#end(life);
      if (this.isKeptUp) this.later(5000, () => this.startAgent());
    });
  }

  /** The agent is killed; what its disk and its engines are stays as it is. */
  killAgent(): void {
    if (!this.isAgentUp) return;
    this.note(`${this.#life.name} is killed`);
    this.#end(this.#life);
    if (this.isKeptUp) this.later(this.random.int(50, 4000), () => this.startAgent());
  }

  /** The agent is told to end, and does so in order. */
  async leaveAgent(): Promise<void> {
    const [life, agent] = [this.#life, this.agent];
    if (agent === undefined || life.isOver) return;
    this.note(`${life.name} is told to end`);
    const leaving = { isOver: false };
    agent[Symbol.asyncDispose]().then(
      () => (leaving.isOver = true),
      (error: unknown) => this.invariants.fail('I0', `the end in order failed: ${String(error)}`),
    );
    for (let waited = 0; !leaving.isOver && !life.isOver && waited < 120_000; waited += 500) await this.pass(500);
    if (!leaving.isOver && !life.isOver) this.invariants.fail('I0', 'the agent did not end within two minutes');
    if (!life.isOver) this.#end(life);
    if (this.isKeptUp) this.later(this.random.int(50, 4000), () => this.startAgent());
  }

  losePower(loss: PowerLoss): void {
    if (this.#machine.isOver) return;
    this.note(`power lost; unsynced data ${loss}`);
    if (this.isAgentUp) this.#end(this.#life);
    this.time.end(this.#machine);
    this.processes.clear();
    this.redirects.clear();
    this.#logs.clear();
    this.disk.crash(loss, this.#diskRandom);
    this.later(20_000, () => {
      this.#machine = { name: 'machine', isOver: false };
      this.startAgent();
    });
  }

  /** The world is over. */
  [Symbol.dispose](): void {
    for (const life of [this.#life, this.#machine, this.#eternal]) this.time.end(life);
  }

  stopAt(stop: Stop | undefined): void {
    this.#stop = stop;
  }

  /** What was planned to stop at a step of the disk has not stopped yet. */
  get isStopPlanned(): boolean {
    return this.#stop !== undefined;
  }

  /** Hands the newest version over, as a poll does; or another one, as a late or repeated message does. */
  deliver(published: Published | undefined = this.manager.newest): void {
    const { agent } = this;
    if (published === undefined || agent === undefined || !this.isAgentUp || this.manager.isAway) return;
    if (this.surroundings.isUplinkDown) return;
    const clock = this.time.clock(this.#life);
    const order: Order = { ...published.order, blobs: this.manager.blobs(clock) };
    this.note(`offered ${order.manifest.epoch}.${order.manifest.generation}`);
    agent.offer(order);
  }

  /** What an operator asks for; a refusal is an answer. */
  ask(name: string, question: (agent: Reconciler) => Promise<unknown>): void {
    const { agent } = this;
    if (agent === undefined || !this.isAgentUp) return;
    this.note(`operator: ${name}`);
    question(agent).then(
      () => this.note(`operator: ${name}: done`),
      (error: unknown) => {
        if (error instanceof ProblemError || isDiskError(error)) this.note(`operator: ${name}: ${error.message}`);
        else this.invariants.fail('I0', `${name} failed with ${String(error)}`);
      },
    );
  }

  #end(life: Life): void {
    this.time.end(life);
    this.agent = undefined;
    this.#stop = undefined;
  }

  async #boot(life: Life): Promise<void> {
    const parts = this.#parts(life);
    const { clock, files } = parts;
    const randomBytes: RandomBytes = (count) => Uint8Array.from({ length: count }, () => this.#agentRandom.int(0, 255));
    const agent = await createReconciler({
      stateDir,
      engines: createSimEngines(parts),
      clock,
      random: () => this.#agentRandom.next(),
      randomBytes: (count) => {
        const bytes = randomBytes(count);
        this.invariants.secrets.add(hex(bytes));
        return bytes;
      },
      spawn: this.processes.spawn(life),
      kill: this.processes.kill(life),
      log: createLogger((record) => life.isOver || this.#onLog(record), 'info'),
      disk: createDisk(files),
      overlay: createSimOverlay(parts),
      machine: createSimMachine(parts),
      managerReachable: () => !this.manager.isAway && !this.surroundings.isUplinkDown,
      settings: { poll_ms: 1000, retry_ms: [60_000, 300_000], watch_every_ms: 2000 },
    });
    if (life.isOver) return;
    this.agent = agent;
    this.invariants.onStart();
    agent.onChange(() => life.isOver || this.invariants.onState(agent.state));
    await agent.boot();
    if (life.isOver) return;
    this.note(`${life.name} is up`);
    this.deliver();
    const poll = (): void => {
      if (life.isOver) return;
      this.deliver();
      this.time.after(pollEveryMs, life, poll);
    };
    this.time.after(pollEveryMs, life, poll);
  }

  #parts(life: Life): MachineParts {
    return {
      life,
      clock: this.time.clock(life),
      files: this.disk.files((operation, file) => this.#gate(life, operation, file)),
      processes: this.processes,
      redirects: this.redirects,
      note: (words) => this.note(words),
      surroundings: this.surroundings,
      logs: this.#logs,
      logFds: this.#logFds,
      random: this.#agentRandom,
      controlMs,
      onProved: (process) => this.invariants.onProved(process),
      onOverlay: (rendition, result, output) => this.invariants.onOverlay(rendition, result, output),
    };
  }

  /** Each step to the disk goes through here. */
  #gate(life: Life, operation: DiskOperation, file: string): Promise<void> | undefined {
    if (life.isOver) return new Promise(() => {});
    if (operation !== 'read') {
      this.diskSteps += 1;
      if (operation === 'write') this.invariants.onWrite(file);
      if (this.#isTraced)
        this.note(`  disk ${this.diskSteps}: ${operation} ${file.replace(/[0-9a-f-]{36}\.tmp/, 'tmp')}`);
      const stop = this.#stop;
      if (stop !== undefined && (stop.after -= 1) < 0) {
        this.#stop = undefined;
        if (stop.what === 'agent') this.killAgent();
        else this.losePower(stop.what);
        return new Promise(() => {});
      }
    }
    const { diskFault } = this;
    if (this.diskFaultOf(operation, file)) throw Object.assign(new Error(`EIO: ${operation} ${file}`), { code: 'EIO' });
    if (diskFault !== undefined && refusedBy[diskFault.code](operation, this.#diskRandom)) {
      this.hadDiskFault = true;
      throw Object.assign(new Error(`${diskFault.code}: ${operation} ${file}`), { code: diskFault.code });
    }
    return this.isDiskSlow ? this.time.clock(life).sleep(this.#diskRandom.int(1, 300)) : undefined;
  }

  #onLog(record: Readonly<Record<string, unknown>>): void {
    const text = JSON.stringify(record);
    this.note(`  log ${text}`);
    this.invariants.onText(text, 'a log line');
  }
}

const isDiskError = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && ['ENOSPC', 'EROFS', 'EIO'].includes(String(error.code));
