import type { spawn as nodeSpawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import type { Proc, ProcessIdentity } from '../src/supervisor/proc.ts';
import type { CrashDisk } from './crash-disk.ts';
import type { Prng } from './prng.ts';
import { readEngineFile, secretMark, type EngineFile, type Kind, type Listen } from './renditions.ts';
import type { Life, SimTime } from './sim-time.ts';

/** One run of the configuration inside an engine; a signal to reload begins another one. */
export interface Instance extends EngineFile {
  readonly bytes: Buffer;
  /** Since when it serves; undefined: not yet. */
  upAtMs: number | undefined;
  /** Somebody has connections through it until then. */
  busyUntilMs: number;
}

export interface SimProcess {
  readonly pid: number;
  readonly starttime: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly isForeign: boolean;
  readonly log: string;
  /** Gets the exit code while it lives. */
  readonly parent: Life;
  readonly child: EventEmitter;
  readonly over: AbortController;
  state: 'alive' | 'zombie';
  instance: Instance | undefined;
  isHung: boolean;
  /** Raised when what was planned for the instance before is void. */
  turn: number;
}

export interface ProcessesDeps {
  readonly time: SimTime;
  readonly disk: CrashDisk;
  readonly random: Prng;
  /** The machine itself, as long as it has power. */
  readonly machine: () => Life;
  readonly longestConnectionMs: number;
  readonly logs: Map<string, string>;
  readonly logOf: (fd: number) => string;
  /** An engine read these bytes to run them. */
  readonly onRead: (process: SimProcess, file: string, bytes: Buffer) => void;
  readonly onBad: (words: string) => void;
  readonly note: (words: string) => void;
}

/** Real numbers of processes are smaller, so that a mistake in the model touches nobody. */
const firstPid = 5_000_000;
const ourUser = 900;

type Behaviour = { readonly [K in Kind]?: number };
/** How long an engine of a kind lives, or answers, after it came up: at least so many milliseconds. */
const livesMs: Behaviour = { mortal: 4000, hanging: 15_000 };

/** The table of processes, and how engines behave. */
export class SimProcesses {
  readonly #deps: ProcessesDeps;
  #table = new Map<number, SimProcess>();
  #nextPid = firstPid;
  #ticks = 100;
  #boots = 1;
  #ports: Held[] = [];

  constructor(deps: ProcessesDeps) {
    this.#deps = deps;
  }

  get all(): readonly SimProcess[] {
    return [...this.#table.values()];
  }

  get engines(): readonly SimProcess[] {
    return this.all.filter(({ isForeign, state }) => !isForeign && state === 'alive');
  }

  /** Of the engines whose file is below `slots/<unit>`. */
  enginesOf(stateDir: string, unit: string): readonly SimProcess[] {
    return this.engines.filter(({ args }) => args.some((arg) => arg.startsWith(`${stateDir}/slots/${unit}/`)));
  }

  /** Who gets a connection to this port; of several the one that came last. */
  holderOf(port: number): SimProcess | undefined {
    const held = this.#ports.findLast((one) => one.port === port);
    return held && this.#table.get(held.pid);
  }

  isFree(port: number): boolean {
    return !this.#ports.some((held) => held.port === port);
  }

  /** Somebody outside takes a port, or lets it go. */
  occupy(port: number): void {
    if (this.isFree(port)) this.#ports.push({ port, pid: 0, isShared: false });
  }

  vacate(port: number): void {
    this.#ports = this.#ports.filter((held) => held.port !== port || held.pid !== 0);
  }

  /** What child_process.spawn gives to one life. */
  spawn(life: Life): typeof nodeSpawn {
    const start = (program: string, args: readonly string[], options: SpawnOptions): EventEmitter => {
      const child = new EventEmitter();
      if (life.isOver) return child;
      const pid = (this.#nextPid += 1);
      const process = this.#add(pid, {
        args: [program, ...args],
        env: options.env ?? {},
        log: this.#deps.logOf(options.stdio[1]),
        parent: life,
        child,
      });
      Object.assign(child, { pid, unref: () => {} });
      this.#deps.note(`process ${short(pid)} starts: ${args.at(-3) ?? ''}`);
      this.#begin(process);
      queueMicrotask(() => void (life.isOver || child.emit('spawn')));
      return child;
    };
    return start as unknown as typeof nodeSpawn;
  }

  kill(life: Life): (pid: number, signal: NodeJS.Signals) => void {
    return (target, signal) => {
      if (life.isOver) return;
      const process = this.#table.get(Math.abs(target));
      if (process === undefined) throw Object.assign(new Error('kill ESRCH'), { code: 'ESRCH' });
      if (process.isForeign) this.#deps.onBad(`signalled a foreign process: ${signal} to ${process.args.join(' ')}`);
      else this.#signal(process, signal);
    };
  }

  /** It ends by itself, or by a hand from outside. */
  end(process: SimProcess, code: number | null, signal: NodeJS.Signals | null, words = ''): void {
    if (process.state !== 'alive') return;
    this.#deps.note(`process ${short(process.pid)} ends: ${signal ?? `code ${code}`} ${words}`);
    this.#say(process, words);
    this.#close(process);
    process.turn += 1;
    process.instance = undefined;
    const isChild = !process.parent.isOver;
    process.state = 'zombie';
    const reap = (): void => void (this.#table.get(process.pid) === process && this.#table.delete(process.pid));
    if (isChild) {
      reap();
      process.child.emit('exit', code, signal);
    } else if (this.#deps.random.chance(0.5)) reap();
    else this.#deps.time.after(this.#deps.random.int(1, 5000), this.#deps.machine(), reap);
    process.over.abort();
  }

  /** A program of somebody else gets a number that was used before. */
  reuse(pid: number, args: readonly string[]): void {
    if (this.#table.has(pid)) return;
    this.#add(pid, { args, isForeign: true });
  }

  /** The machine goes down: nothing runs any more. */
  clear(): void {
    this.#table = new Map();
    this.#ports = [];
    this.#boots += 1;
    this.#nextPid = firstPid;
    this.#ticks = 100;
  }

  proc(life: Life): Proc {
    const alive = (pid: number): SimProcess | undefined => {
      const found = life.isOver ? undefined : this.#table.get(pid);
      return found?.state === 'alive' ? found : undefined;
    };
    const identify = (pid: number): ProcessIdentity | undefined => {
      const found = alive(pid);
      return found && { pid, starttime: found.starttime, boot_id: `boot-${this.#boots}`, exe: found.args[0] ?? '' };
    };
    return {
      identify,
      isAlive(identity) {
        const now = identify(identity.pid);
        return now !== undefined && now.starttime === identity.starttime && now.boot_id === identity.boot_id;
      },
      argumentsOf: (pid) => [...(alive(pid)?.args ?? [])],
      ownerOf: (pid) => (alive(pid)?.isForeign === true ? 0 : ourUser),
      ownUser: () => ourUser,
      pids: () => (life.isOver ? [] : [...this.#table.keys()]),
      rssBytes: (pid) => (alive(pid) === undefined ? null : 30_000_000),
      kinOf: (pid) => {
        const found = alive(pid);
        return found && { parent: 1, group: pid, session: pid, starttime: found.starttime };
      },
      environmentOf: (pid, name) => alive(pid)?.env[name],
      openFiles: () => null,
      fileLimit: () => null,
      memory: () => ({ availableBytes: null, ownBytes: null }),
      watchEnd: (pid) => {
        const found = alive(pid);
        return found && { ended: found.over.signal, [Symbol.dispose]: () => {} };
      },
      watchOom: () => ({ look: () => 'no', forget: () => {} }),
      listeners: () =>
        this.#ports.map(({ port, pid }) => ({ network: 'tcp', port, address: '', inode: `${pid}:${port}` })),
      socketsOf: (pid) => new Set(this.#ports.filter((held) => held.pid === pid).map(({ port }) => `${pid}:${port}`)),
    };
  }

  #add(pid: number, facts: Partial<SimProcess>): SimProcess {
    const process: SimProcess = {
      pid,
      starttime: String((this.#ticks += 1)),
      args: [],
      env: {},
      isForeign: false,
      log: '',
      parent: this.#deps.machine(),
      child: new EventEmitter(),
      over: new AbortController(),
      state: 'alive',
      instance: undefined,
      isHung: false,
      turn: 0,
      ...facts,
    };
    this.#table.set(pid, process);
    return process;
  }

  /** Something that happens to this instance later, unless it is gone by then. */
  #later(process: SimProcess, ms: number, happen: () => void): void {
    const { turn } = process;
    this.#deps.time.after(ms, this.#deps.machine(), () => {
      if (process.state === 'alive' && process.turn === turn) happen();
    });
  }

  /** sing-box reads its file, opens its ports, and only then answers at its control API. */
  #begin(process: SimProcess): void {
    const { random } = this.#deps;
    process.turn += 1;
    process.instance = undefined;
    this.#later(process, random.int(1, 4), () => {
      const instance = this.#read(process);
      if (instance === undefined) return;
      process.instance = instance;
      const { kind } = instance;
      if (kind === 'stillborn') {
        this.#later(process, 30, () =>
          this.end(process, 1, null, `FATAL[0000] initialize outbound[0]: not like ${secretMark}`),
        );
        return;
      }
      const takesLong = kind === 'slow' && random.chance(0.7);
      this.#later(process, takesLong ? random.int(5500, 9000) : random.int(3, 60), () => this.#open(process, instance));
    });
  }

  #read(process: SimProcess): Instance | undefined {
    const file = fileOf(process);
    const bytes = this.#deps.disk.peek(file);
    if (bytes === undefined) {
      this.end(process, 1, null, `FATAL[0000] read config at ${file}: no such file or directory`);
      return undefined;
    }
    this.#deps.onRead(process, file, bytes);
    const read = readEngineFile(bytes);
    if (read === undefined) this.end(process, 1, null, `FATAL[0000] decode config at ${file}: unexpected end of JSON`);
    return read && { ...read, bytes, upAtMs: undefined, busyUntilMs: 0 };
  }

  #open(process: SimProcess, instance: Instance): void {
    const { random } = this.#deps;
    const wanted = [...instance.listens, ...controlOf(instance)];
    const busy = wanted.find(({ port, isShared }) =>
      this.#ports.some((held) => held.port === port && !(held.isShared && isShared)),
    )?.port;
    if (busy !== undefined) {
      const words = `FATAL[0000] start service: listen tcp 127.0.0.1:${busy}: bind: address already in use`;
      this.end(process, 1, null, words);
      return;
    }
    this.#ports.push(...wanted.map((listen) => ({ ...listen, pid: process.pid })));
    instance.upAtMs = this.#deps.time.elapsedMs;
    instance.busyUntilMs = instance.upAtMs + random.int(0, this.#deps.longestConnectionMs);
    const lifeMs = livesMs[instance.kind];
    if (lifeMs === undefined || isTrial(process)) return;
    this.#later(process, lifeMs + random.int(0, lifeMs), () => {
      if (instance.kind === 'mortal') this.end(process, 2, null, `panic: went wrong at port ${random.int(1, 9)}`);
      else process.isHung = true;
    });
  }

  #close(process: SimProcess): void {
    this.#ports = this.#ports.filter(({ pid }) => pid !== process.pid);
  }

  #signal(process: SimProcess, signal: NodeJS.Signals): void {
    if (signal === 'SIGKILL') return this.#later(process, 1, () => this.end(process, null, signal));
    if (process.isHung) return;
    const isUp = process.instance?.upAtMs !== undefined;
    if (signal === 'SIGTERM' && process.instance?.kind !== 'stubborn') {
      return this.#later(process, 2, () => this.end(process, isUp ? 0 : 1, null));
    }
    if (signal !== 'SIGHUP') return;
    // A second signal while it starts ends it; one that comes when it runs has it read its file again.
    if (!isUp) return this.#later(process, 1, () => this.end(process, null, 'SIGHUP'));
    this.#deps.note(`process ${short(process.pid)} reads its file again`);
    const bytes = this.#deps.disk.peek(fileOf(process));
    const next = bytes && readEngineFile(bytes);
    if (next === undefined || next.kind === 'unchecked') {
      this.#say(process, 'ERROR[0001] reload service: decode config: not like this');
      return;
    }
    this.#close(process);
    this.#begin(process);
  }

  #say({ log }: SimProcess, words: string): void {
    const { logs } = this.#deps;
    if (words !== '' && log !== '') logs.set(log, `${logs.get(log) ?? ''}${words}\n`);
  }
}

interface Held extends Listen {
  /** 0: somebody outside. */
  readonly pid: number;
}

const controlOf = ({ control }: EngineFile): Listen[] =>
  control === undefined ? [] : [{ port: control.port, isShared: false }];

interface SpawnOptions {
  readonly stdio: readonly [unknown, number, ...unknown[]];
  readonly env?: Readonly<Record<string, string>>;
}

const fileOf = ({ args }: SimProcess): string => args[args.indexOf('-c') + 1] ?? '';

export const isTrial = ({ args }: SimProcess): boolean => args.some((arg) => arg.includes('/trials/'));

export const short = (pid: number): string => `#${pid - firstPid}`;
