import { messageOf } from '@sbox/core';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from '../yaml-text.ts';

type Document = ReturnType<typeof parseDocument>;
export type Path = readonly PropertyKey[];

/** Where something stands in a file, both from 1 on. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface YamlComplaint extends Position {
  readonly message: string;
}

/** The value of a file of YAML, with the places where its parts stand. */
export interface YamlFile {
  readonly value: unknown;
  readonly complaints: readonly YamlComplaint[];
  /** Of the value at a path, or of its key; of what is around it where it is not there. */
  at(path: Path, part?: 'key'): Position;
}

const maxAliases = 100;

/** Reads YAML 1.2. What is wrong is in `complaints`, then the value is of no use. */
export function readYaml(text: string): YamlFile {
  try {
    return parsed(text);
  } catch (error) {
    // Too many aliases, or nested so deep that no stack is enough.
    const message = error instanceof RangeError ? 'is nested too deep' : messageOf(error);
    return { value: undefined, complaints: [{ ...top, message }], at: () => top };
  }
}

const top: Position = { line: 1, column: 1 };

function parsed(text: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const complaints = [...document.errors, ...document.warnings].map(({ message, pos: [start] }) => ({
    ...position(start),
    message: message.split('\n')[0] ?? '',
  }));
  const at = (path: Path, part?: 'key'): Position => position(offsetOf(document, path, part));
  const value: unknown = complaints.length > 0 ? undefined : document.toJS({ maxAliasCount: maxAliases });
  return { value, complaints, at };
}

function offsetOf(document: Document, path: Path, part: 'key' | undefined): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [index, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    const isLast = index === path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (!pair) return offset;
      offset = (isLast && part === 'key' ? undefined : startOf(pair.value)) ?? startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      offset = startOf(node) ?? offset;
    } else return offset;
  }
  return offset;
}

const startOf = (node: unknown): number | undefined =>
  (node as { range?: readonly number[] | null } | null | undefined)?.range?.[0];
