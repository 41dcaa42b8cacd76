import path from 'node:path';
import { digestOf, messageOf } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import { contentOf } from '@sbox/protocol';
import type { AcceptedOrder } from './accepted.ts';
import { createBlobs } from './blobs.ts';
import { readOwn, type Disk } from './disk.ts';
import { createHoldFile, type Hold } from './hold.ts';
import { parseJournal, type JournalRecord, type JournalUnit, type JournalVersion } from './journal.ts';
import { replay } from './journal-replay.ts';
import type { Strike } from './quarantine.ts';
import { createSlots, type LiveSlot } from './slots.ts';

/** What may be damaged of a version: without its slot a unit cannot be started. */
export interface InspectedVersion {
  readonly version: JournalVersion;
  readonly isCommitted: boolean;
  /** Why it cannot be started as it lies there; empty when it can. */
  readonly broken: readonly string[];
  /** What is missing of its content; it starts all the same. */
  readonly lost: readonly string[];
}

/** A state directory as it lies on the disk, read without an agent and without changing anything. */
export interface InspectedState {
  readonly journal: {
    readonly kind: 'none' | 'whole' | 'torn' | 'unreadable';
    readonly records: readonly JournalRecord[];
    /** Why it is unreadable, or where it is torn. */
    readonly why: string;
  };
  /** `damaged` when the file is there and says nothing. */
  readonly accepted: AcceptedOrder | 'damaged' | undefined;
  /** What can be gone back to, the newest first. */
  readonly versions: readonly InspectedVersion[];
  /** What each unit runs or would run: the slot behind `current`. */
  readonly current: readonly LiveSlot[];
  /** Slots behind `lkg`, which stand in for a lost journal, with what is broken of them. */
  readonly marked: readonly { readonly slot: LiveSlot; readonly broken: readonly string[] }[];
  readonly quarantine: readonly Strike[];
  readonly hold: Hold | undefined;
}

/** @throws what the system says when the directory itself cannot be read */
export async function inspectState(disk: Disk, stateDir: string): Promise<InspectedState> {
  const journal = await readJournal(disk, stateDir);
  const { committed, candidates } = replay(journal.records);
  const ordered = [
    ...candidates.map(({ version }) => ({ version, isCommitted: false })).toReversed(),
    ...committed.map(({ version }) => ({ version, isCommitted: true })).toReversed(),
  ];
  const versions = [];
  for (const { version, isCommitted } of ordered) {
    versions.push({ version, isCommitted, ...(await inspectVersion(disk, stateDir, version)) });
  }
  const marked = [];
  for (const slot of await linked(disk, stateDir, 'lkg')) {
    const { broken } = await inspectSlot(disk, stateDir, slot.unit.name, slot.name);
    marked.push({ slot, broken });
  }
  return {
    journal,
    accepted: await readAccepted(disk, stateDir),
    versions,
    current: await linked(disk, stateDir, 'current'),
    marked,
    quarantine: await readQuarantine(disk, stateDir),
    hold: await createHoldFile(disk, stateDir).read(),
  };
}

async function readJournal(disk: Disk, stateDir: string): Promise<InspectedState['journal']> {
  try {
    const bytes = await disk.read(path.join(stateDir, 'journal.ndjson'));
    if (bytes === undefined) return { kind: 'none', records: [], why: 'there is none' };
    const { records, isTorn } = parseJournal(bytes.toString('utf8'));
    if (!isTorn) return { kind: 'whole', records, why: '' };
    return { kind: 'torn', records, why: `what follows its line ${records.length} cannot be believed` };
  } catch (error) {
    return { kind: 'unreadable', records: [], why: messageOf(error) };
  }
}

async function readAccepted(disk: Disk, stateDir: string): Promise<InspectedState['accepted']> {
  const bytes = await disk.read(path.join(stateDir, 'accepted.json')).catch(() => Buffer.of());
  if (bytes === undefined) return undefined;
  const order = readOwn(bytes) as Partial<AcceptedOrder> | undefined;
  return Array.isArray(order?.manifest?.units) ? (order as AcceptedOrder) : 'damaged';
}

async function linked(disk: Disk, stateDir: string, link: 'current' | 'lkg'): Promise<LiveSlot[]> {
  const slots = createSlots(disk, stateDir);
  const found: LiveSlot[] = [];
  for (const unit of await slots.units()) {
    const name = await slots.target(unit, link).catch(() => undefined);
    const slot = name === undefined ? undefined : await slots.read(unit, name).catch(() => undefined);
    if (isSlot(slot)) found.push(slot);
  }
  return found;
}

/** A file of an older agent, or one that was changed by hand, may have any form. */
const isSlot = (slot: LiveSlot | undefined): slot is LiveSlot =>
  typeof slot?.unit?.name === 'string' && Array.isArray(slot.report?.listens);

/** Every slot of every unit that tells what it is, whether a version refers to it or not. */
export async function inspectSlots(
  disk: Disk,
  stateDir: string,
): Promise<{ readonly slot: LiveSlot; readonly broken: readonly string[] }[]> {
  const slots = createSlots(disk, stateDir);
  const found = [];
  for (const unit of await slots.units()) {
    for (const name of await disk.list(slots.directory(unit, '.')).catch(() => [])) {
      const slot = await slots.read(unit, name).catch(() => undefined);
      // Links lie beside the slots, and lead to one of them.
      if (isSlot(slot) && slot.name === name)
        found.push({ slot, broken: (await inspectSlot(disk, stateDir, unit, name)).broken });
    }
  }
  return found;
}

type Damage = Pick<InspectedVersion, 'broken' | 'lost'>;

async function inspectVersion(disk: Disk, stateDir: string, { units }: JournalVersion): Promise<Damage> {
  const broken: string[] = [];
  const lost: string[] = [];
  for (const { name, slot } of units satisfies readonly JournalUnit[]) {
    const damage =
      slot === null ? { broken: [`${name}: it has no slot`], lost: [] } : await inspectSlot(disk, stateDir, name, slot);
    broken.push(...damage.broken);
    lost.push(...damage.lost);
  }
  return { broken, lost };
}

async function inspectSlot(disk: Disk, stateDir: string, unit: string, name: string): Promise<Damage> {
  const slots = createSlots(disk, stateDir);
  const place = `slots/${unit}/${name}`;
  const slot = await slots.read(unit, name).catch(() => undefined);
  if (!isSlot(slot)) return { broken: [`${place}/slot.json is gone or damaged`], lost: [] };
  const config = await disk.read(slots.configFile(unit, name)).catch(() => undefined);
  if (config === undefined) return { broken: [`${place}/config.json is gone`], lost: [] };
  if (digestOf(config, sha256) !== slot.report.digest) {
    return { broken: [`${place}/config.json is not what was put there`], lost: [] };
  }
  const blobs = createBlobs(disk, stateDir);
  const missing = [];
  for (const { digest } of contentOf(slot.unit)) {
    if (!(await blobs.has(digest).catch(() => false))) missing.push(`blobs/sha256/${digest.slice('sha256:'.length)}`);
  }
  return { broken: [], lost: missing };
}

async function readQuarantine(disk: Disk, stateDir: string): Promise<Strike[]> {
  const directory = path.join(stateDir, 'quarantine');
  const names = (await disk.list(directory)).filter((name) => name.endsWith('.json'));
  const strikes = names.map(async (name) => readOwn(await disk.read(path.join(directory, name))) as Strike | undefined);
  return (await Promise.all(strikes)).filter((strike) => typeof strike?.digest === 'string').map((strike) => strike!);
}
