import path from 'node:path';
import { compareGenerations, digestOf, type Generation } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import type { Reconciler, ReconcilerState } from '../src/order.ts';
import { parseJournal, type JournalRecord } from '../src/state/journal.ts';
import { replay } from '../src/state/journal-replay.ts';
import type { CrashDisk } from './crash-disk.ts';
import { secretMark } from './renditions.ts';
import type { Surroundings } from './sim-machine.ts';
import type { SimManager } from './sim-manager.ts';
import type { SimRedirects } from './sim-mover.ts';
import { isTrial, short, type SimProcess, type SimProcesses } from './sim-processes.ts';
import type { SimTime } from './sim-time.ts';
import { stateDir } from './state-dir.ts';

/** I0: what nobody numbered, such as an exception that gets out. The others are those of docs/reliability.md. */
export type InvariantName = 'I0' | 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8';

interface Overlay {
  readonly rendition: string;
  readonly unit: string;
  /** Of a trial: the name of its file. */
  readonly slot: string;
}

export interface Violation {
  readonly invariant: InvariantName;
  readonly words: string;
  readonly atMs: number;
}

/** After a start the last good version runs, or it is said why not. */
const bootMs = 30_000;
/** One serves, one is being proved, two drain, and one of these is about to end. */
const mostWithSwap = 5;
/** Where nothing can be moved there may be two for the moment in which one takes over the ports of the other. */
const mostWithOverlap = 2;
/** Of each secret that was ever made only the latest are looked for: every line of every log is read. */
const secretsKept = 8;
const broken = new Set(['starting', 'backoff', 'crash-loop', 'failed', 'degraded', 'reloading', 'verifying']);
const files = {
  journal: path.join(stateDir, 'journal.ndjson'),
  accepted: path.join(stateDir, 'accepted.json'),
};

/** The part of the world that is looked at. */
export interface Observed {
  readonly time: SimTime;
  readonly disk: CrashDisk;
  readonly processes: SimProcesses;
  readonly redirects: SimRedirects;
  readonly manager: SimManager;
  readonly surroundings: Surroundings;
  readonly agent: Reconciler | undefined;
  readonly isAgentUp: boolean;
  readonly isDiskBroken: boolean;
  readonly note: (words: string) => void;
}

/** Looks at the world at every moment, and remembers what the agent must not. */
export class Invariants {
  readonly violations: Violation[] = [];
  readonly secrets = new Set<string>();
  readonly #world: Observed;
  /** Overlays by their digest: from which rendition they are. */
  readonly #overlays = new Map<string, Overlay>();
  /** Slots that a request went through. */
  readonly #proved = new Set<string>();
  readonly #committed = new Set<string>();
  #accepted: Generation = { epoch: 0, generation: 0 };
  #followed: Generation = this.#accepted;
  #acceptedBytes: Buffer | undefined;
  readonly #journal = { bytes: undefined as Buffer | undefined, read: 0 };
  #bootedAtMs: number | undefined;

  constructor(world: Observed) {
    this.#world = world;
  }

  fail(invariant: InvariantName, words: string): void {
    const { violations } = this;
    if (violations.some((other) => other.invariant === invariant && other.words === words)) return;
    this.#world.note(`VIOLATION ${invariant}: ${words}`);
    violations.push({ invariant, words, atMs: this.#world.time.elapsedMs });
  }

  onOverlay(rendition: string, result: string, output: string): void {
    const [kind, unit = '', slot = ''] = path.relative(stateDir, output).split('/');
    this.#overlays.set(result, { rendition, unit, slot });
    if (kind === 'slots' && this.#isStruck(rendition)) {
      this.fail('I6', `a rendition in quarantine is made ready to run in ${unit}`);
    }
  }

  /** I1: an engine runs what was made here from a verified rendition for its own unit, and nothing else. */
  onRead(process: SimProcess, file: string, bytes: Buffer): void {
    const digest = digestOf(bytes, sha256);
    const overlay = this.#overlays.get(digest);
    if (overlay === undefined || !this.#world.manager.isPublished(overlay.rendition)) {
      this.fail('I1', `${short(process.pid)} reads ${bytes.length} bytes that nobody made, from ${file}`);
    } else if (!file.includes(`/${overlay.unit}/`)) {
      this.fail('I1', `${short(process.pid)} runs what was made for ${overlay.unit}, from ${file}`);
    }
  }

  onProved(process: SimProcess): void {
    const { unit, slot } = this.#overlayOf(process) ?? {};
    this.#proved.add(`${unit} ${slot}`);
  }

  onStart(): void {
    this.#bootedAtMs = this.#world.time.elapsedMs;
  }

  onState(state: ReconcilerState): void {
    this.onText(JSON.stringify(state), 'the status');
  }

  /** I7 */
  onText(text: string, where: string): void {
    for (const secret of [secretMark, ...[...this.secrets].slice(-secretsKept)]) {
      if (text.includes(secret)) this.fail('I7', `a secret is in ${where}: ${text.slice(0, 200)}`);
    }
  }

  look(): void {
    this.#lookAtCopies();
    this.#lookAtAccepted();
    this.#lookAtBoot();
  }

  /** Something was written; what it says is compared with the world as it is in this moment. */
  onWrite(file: string): void {
    if (file === files.journal) this.#lookAtJournal();
  }

  /** I3 */
  #lookAtCopies(): void {
    const { processes, redirects } = this.#world;
    const most = redirects.isThere ? mostWithSwap : mostWithOverlap;
    const seen = new Map<string, SimProcess[]>();
    for (const process of processes.engines) {
      const unit = unitOf(process);
      if (unit === undefined) continue;
      const all = [...(seen.get(unit) ?? []), process];
      seen.set(unit, all);
      const names = all.map(({ pid }) => short(pid)).join(', ');
      if (all.length > most) this.fail('I3', `${unit} has ${all.length} engines: ${names}`);
      const { control } = process.instance ?? {};
      const isCopy = all.some(
        ({ instance }) => instance !== process.instance && instance?.control?.secret === control?.secret,
      );
      if (control !== undefined && isCopy) this.fail('I3', `${unit} runs the same slot twice: ${names}`);
    }
  }

  /** I2: what a loss of power would leave never goes back. */
  #lookAtAccepted(): void {
    const bytes = this.#world.disk.durable(files.accepted);
    if (bytes === this.#acceptedBytes) return;
    this.#acceptedBytes = bytes;
    const now = generationIn(bytes);
    if (compareGenerations(now, this.#accepted) < 0) {
      this.fail('I2', `the accepted generation goes back from ${text(this.#accepted)} to ${text(now)}`);
    } else this.#accepted = now;
  }

  #lookAtJournal(): void {
    const journal = this.#journal;
    const bytes = this.#world.disk.peek(files.journal);
    if (bytes === journal.bytes) return;
    const isLonger = journal.bytes !== undefined && bytes !== undefined && bytes.length > journal.bytes.length;
    const isAppended =
      isLonger && bytes.subarray(0, journal.read).equals(journal.bytes?.subarray(0, journal.read) ?? bytes);
    const from = isAppended ? journal.read : 0;
    const added = bytes?.subarray(from).toString() ?? '';
    const { records } = parseJournal(added);
    journal.bytes = bytes;
    journal.read = from + Buffer.byteLength(added.slice(0, added.lastIndexOf('\n') + 1));
    if (isAppended) for (const record of records) this.#onRecord(record);
  }

  #onRecord({ step, source, units, ...record }: JournalRecord): void {
    if (step === 'INTENT' && source !== 'local') {
      if (compareGenerations(record, this.#followed) < 0) {
        this.fail('I2', `${text(record)} is followed after ${text(this.#followed)}`);
      } else this.#followed = { epoch: record.epoch, generation: record.generation };
    }
    // I5
    if (step !== 'HEALTHY') return;
    for (const { name, slot } of units) {
      const key = `${name} ${slot}`;
      if (this.#committed.has(key)) continue;
      this.#committed.add(key);
      if (!this.#proved.has(key)) {
        this.fail('I5', `${text(record)} is committed, but no request went through ${name}`);
      } else if (!this.#world.isDiskBroken && !this.#hasLasted(name, slot)) {
        this.fail('I5', `${text(record)} is committed, but ${name} has not been up for its whole watch`);
      }
    }
  }

  /** Healthy for the whole watch: the run of the configuration that serves is at least as old. */
  #hasLasted(unit: string, slot: string | null): boolean {
    const { processes, time, manager } = this.#world;
    const watchMs = manager.watchMs - 1000;
    return processes.engines.some((process) => {
      const overlay = this.#overlayOf(process);
      const isIt = unitOf(process) === unit && overlay?.slot === slot;
      return isIt && time.elapsedMs - (process.instance?.upAtMs ?? Infinity) >= watchMs;
    });
  }

  #overlayOf({ instance }: SimProcess): Overlay | undefined {
    return instance && this.#overlays.get(digestOf(instance.bytes, sha256));
  }

  /** I4 */
  #lookAtBoot(): void {
    const { agent, time, disk, processes, isAgentUp } = this.#world;
    if (time.elapsedMs < (this.#bootedAtMs ?? Infinity) + bootMs) return;
    // Engines that hang are ended one after another, which takes its time and is said.
    const isBusy = agent?.state.phase === 'progressing' || this.#world.isDiskBroken;
    this.#bootedAtMs = isBusy ? time.elapsedMs : undefined;
    if (isBusy) return;
    const { records } = parseJournal(disk.peek(files.journal)?.toString() ?? '');
    const good = replay(records).committed.at(-1)?.version;
    if (good === undefined || good.units.length === 0 || agent === undefined || !isAgentUp) return;
    const { units, phase, running } = agent.state;
    if (this.#world.manager.find(running)?.wanted.length === 0) return;
    if (units.length === 0 && phase !== 'degraded')
      this.fail('I4', `${bootMs / 1000} s after a start nothing runs and nothing is said`);
    for (const { name, state, pid } of units) {
      if (broken.has(state)) continue;
      const isThere = processes.engines.some((process) => process.pid === pid);
      if (!isThere)
        this.fail('I4', `${bootMs / 1000} s after a start ${name} is said to be ${state}, and is not there`);
    }
  }

  /** Whether the agent itself wrote down that this is never to be tried again with this engine. */
  #isStruck(rendition: string): boolean {
    const { disk, surroundings } = this.#world;
    const bytes = disk.peek(path.join(stateDir, 'quarantine', `${rendition.slice('sha256:'.length)}.json`));
    if (bytes === undefined) return false;
    try {
      const strike = JSON.parse(bytes.toString()) as { isFinal?: boolean; engine?: string };
      return strike.isFinal === true && strike.engine === `sing-box ${surroundings.engineVersion}`;
    } catch {
      return false;
    }
  }
}

const text = ({ epoch, generation }: Generation): string => `${epoch}.${generation}`;

export function unitOf(process: SimProcess): string | undefined {
  const file = process.args.find((arg) => arg.startsWith(`${stateDir}/slots/`));
  return isTrial(process) ? undefined : file?.slice(`${stateDir}/slots/`.length).split('/', 1)[0];
}

function generationIn(bytes: Buffer | undefined): Generation {
  try {
    const { manifest } = JSON.parse(bytes?.toString() ?? '') as { manifest: Generation };
    return { epoch: manifest.epoch, generation: manifest.generation };
  } catch {
    return { epoch: 0, generation: 0 };
  }
}
