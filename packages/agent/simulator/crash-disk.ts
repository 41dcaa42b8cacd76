import { constants } from 'node:fs';
import path from 'node:path';
import type { Files, OpenFile } from '@sbox/daemon/files';
import type { Prng } from './prng.ts';

/** What becomes of that which was not synced when the power goes. */
export type PowerLoss = 'dropped' | 'kept' | 'torn';

interface FileNode {
  readonly kind: 'file';
  data: Buffer;
  /** What is on the medium for sure. */
  synced: Buffer;
}

interface DirectoryNode {
  readonly kind: 'directory';
  entries: Map<string, Node>;
  /** Entries as of the last sync. */
  synced: Map<string, Node>;
  /** What changed since, in order; a rename is one change. */
  changes: Change[];
}

interface LinkNode {
  readonly kind: 'link';
  readonly target: string;
}

type Node = FileNode | DirectoryNode | LinkNode;
type Change = readonly (readonly [name: string, node: Node | undefined])[];

/** `read` changes nothing; each of the others changes the disk, or makes a change last. */
export type DiskOperation = 'read' | 'create' | 'write' | 'sync' | 'rename' | 'symlink' | 'mkdir' | 'unlink';

/** Asked before each step: throws what the disk says, or gives a promise that never resolves when the machine stops. */
export type Gate = (operation: DiskOperation, file: string) => Promise<void> | undefined;

const makeDirectory = (): DirectoryNode => ({
  kind: 'directory',
  entries: new Map(),
  synced: new Map(),
  changes: [],
});

const fail = (code: string, file: string): never => {
  throw Object.assign(new Error(`${code}: ${file}`), { code });
};

/**
 * A disk with a page cache. The strictest reading of POSIX: data is lost that its file was not synced for, names are lost
 * that their directory was not synced for, and directories forget changes one by one, in no order.
 */
export class CrashDisk {
  readonly #root = makeDirectory();

  /** A view for one life of a program. */
  files(gate: Gate): Files {
    const step = async (operation: DiskOperation, file: string): Promise<void> => {
      const stop = gate(operation, file);
      if (stop !== undefined) await stop;
    };
    return {
      readFile: async (file) => {
        await step('read', file);
        return Buffer.from(this.#file(file).data);
      },
      open: async (file, flags) => await this.#open(file, flags, step),
      rename: async (from, to) => {
        await step('rename', to);
        this.#rename(from, to);
      },
      symlink: async (target, file) => {
        await step('symlink', file);
        if (this.#entry(file) !== undefined) fail('EEXIST', file);
        this.#change(path.dirname(file), [[path.basename(file), { kind: 'link', target }]]);
      },
      readlink: async (file) => {
        const node = this.#entry(file);
        return await Promise.resolve(node?.kind === 'link' ? node.target : fail('ENOENT', file));
      },
      mkdir: async (directory) => await this.#mkdir(directory, step),
      readdir: async (directory) => {
        const node = this.#find(directory);
        if (node === undefined) fail('ENOENT', directory);
        return await Promise.resolve(
          node?.kind === 'directory' ? [...node.entries.keys()] : fail('ENOTDIR', directory),
        );
      },
      rm: async (entry) => await this.#rm(entry, step),
    };
  }

  /** Bytes as every program sees them now. */
  peek(file: string): Buffer | undefined {
    const node = this.#find(file);
    return node?.kind === 'file' ? node.data : undefined;
  }

  /** Bytes that a loss of power leaves there in any case. */
  durable(file: string): Buffer | undefined {
    let node: Node | undefined = this.#root;
    for (const name of partsOf(file)) node = node?.kind === 'directory' ? node.synced.get(name) : undefined;
    return node?.kind === 'file' ? node.synced : undefined;
  }

  /** What somebody else put there long ago. */
  plant(file: string, content: string): void {
    const directory = this.#find(path.dirname(file));
    if (directory?.kind !== 'directory') return;
    const data = Buffer.from(content);
    directory.entries.set(path.basename(file), { kind: 'file', data, synced: data });
    directory.synced.set(path.basename(file), { kind: 'file', data, synced: data });
  }

  unplant(file: string): void {
    const directory = this.#find(path.dirname(file));
    if (directory?.kind !== 'directory') return;
    directory.entries.delete(path.basename(file));
    directory.synced.delete(path.basename(file));
  }

  /** Names of all files. */
  list(): string[] {
    const walk = (node: Node, at: string): string[] =>
      node.kind === 'directory' ? [...node.entries].flatMap(([name, child]) => walk(child, `${at}/${name}`)) : [at];
    return walk(this.#root, '');
  }

  /** The power goes: what was not synced is lost, there, or there in part. */
  crash(loss: PowerLoss, random: Prng): void {
    const survives = (): boolean => loss === 'kept' || (loss === 'torn' && random.chance(0.5));
    const walk = (node: Node): void => {
      if (node.kind === 'link') return;
      if (node.kind === 'file') {
        node.data = afterLoss(node, loss, random);
        node.synced = node.data;
        return;
      }
      const entries = node.synced;
      for (const change of node.changes) if (survives()) applyChange(entries, change);
      [node.entries, node.synced, node.changes] = [entries, new Map(entries), []];
      for (const child of entries.values()) walk(child);
    };
    walk(this.#root);
  }

  async #open(file: string, flags: number, step: Step): Promise<OpenFile> {
    const isNew = this.#find(file) === undefined && (flags & constants.O_CREAT) !== 0;
    await step(isNew ? 'create' : 'read', file);
    if (isNew) {
      const node: FileNode = { kind: 'file', data: Buffer.alloc(0), synced: Buffer.alloc(0) };
      this.#change(path.dirname(file), [[path.basename(file), node]]);
    }
    const node = this.#find(file) ?? fail('ENOENT', file);
    return {
      chmod: async () => await Promise.resolve(),
      writeFile: async (content) => {
        if (node.kind !== 'file') fail('EISDIR', file);
        else await append(node, content, async () => await step('write', file));
      },
      sync: async () => {
        await step('sync', file);
        if (node.kind === 'file') node.synced = node.data;
        else if (node.kind === 'directory') [node.synced, node.changes] = [new Map(node.entries), []];
      },
      close: async () => await Promise.resolve(),
    };
  }

  #rename(from: string, to: string): void {
    const node = this.#entry(from) ?? fail('ENOENT', from);
    if (path.dirname(from) !== path.dirname(to)) fail('EXDEV', to);
    this.#change(path.dirname(to), [
      [path.basename(from), undefined],
      [path.basename(to), node],
    ]);
  }

  async #mkdir(directory: string, step: Step): Promise<string | undefined> {
    let [at, first] = ['', undefined as string | undefined];
    for (const name of partsOf(directory)) {
      const parent = at;
      at = `${at}/${name}`;
      const found = this.#find(at);
      if (found?.kind === 'directory') continue;
      if (found !== undefined) fail('EEXIST', at);
      await step('mkdir', at);
      this.#change(parent === '' ? '/' : parent, [[name, makeDirectory()]]);
      first ??= at;
    }
    return first;
  }

  async #rm(entry: string, step: Step): Promise<void> {
    const node = this.#entry(entry);
    if (node === undefined) return;
    if (node.kind === 'directory') for (const name of node.entries.keys()) await this.#rm(`${entry}/${name}`, step);
    await step('unlink', entry);
    this.#change(path.dirname(entry), [[path.basename(entry), undefined]]);
  }

  #change(directory: string, change: Change): void {
    const node = this.#find(directory) ?? fail('ENOENT', directory);
    if (node.kind !== 'directory') return fail('ENOTDIR', directory);
    applyChange(node.entries, change);
    node.changes.push(change);
  }

  #file(file: string): FileNode {
    const node = this.#find(file) ?? fail('ENOENT', file);
    return node.kind === 'file' ? node : fail('EISDIR', file);
  }

  /** Without following a link at the end. */
  #entry(file: string): Node | undefined {
    const parent = this.#find(path.dirname(file));
    return parent?.kind === 'directory' ? parent.entries.get(path.basename(file)) : undefined;
  }

  #find(file: string, depth = 0): Node | undefined {
    let [node, at]: [Node | undefined, string] = [this.#root, ''];
    for (const name of partsOf(file)) {
      const parent = at;
      at = `${at}/${name}`;
      node = node?.kind === 'directory' ? node.entries.get(name) : undefined;
      if (node?.kind !== 'link') continue;
      if (depth > 8) return undefined;
      at = path.resolve(parent || '/', node.target);
      node = this.#find(at, depth + 1);
    }
    return node;
  }
}

type Step = (operation: DiskOperation, file: string) => Promise<void>;

const partsOf = (file: string): string[] => file.split('/').filter(Boolean);

/** Written before it is asked: a machine that stops in the middle of it, or a full disk, has some of it. */
async function append(node: FileNode, content: string | Uint8Array, ask: () => Promise<void>): Promise<void> {
  const before = node.data;
  node.data = Buffer.concat([before, Buffer.from(content)]);
  try {
    await ask();
  } catch (error) {
    node.data = node.data.subarray(0, before.length + Math.floor((node.data.length - before.length) / 2));
    throw error;
  }
}

function applyChange(entries: Map<string, Node>, change: Change): void {
  for (const [name, node] of change) {
    if (node === undefined) entries.delete(name);
    else entries.set(name, node);
  }
}

/** Files only grow, so that what is not synced is their end; a torn one may have room that was never written. */
function afterLoss({ data, synced }: FileNode, loss: PowerLoss, random: Prng): Buffer {
  if (loss === 'kept' || data === synced) return data;
  if (loss === 'dropped') return synced;
  const kept = data.subarray(0, random.int(synced.length, data.length));
  return random.chance(0.3) ? Buffer.concat([kept, Buffer.alloc(data.length - kept.length)]) : kept;
}
