import { ProblemError } from '@sbox/core';
import type { Node, NodeDraft } from './node.ts';

/** A node that was read, before its detour is known. */
export interface Entry {
  readonly line: number;
  readonly draft: NodeDraft;
  /** Already made when there is no detour. */
  readonly node: Node | undefined;
  readonly name: string;
  readonly scope: number;
}

/** What else the names of one scope stand for. */
export type OtherNames = ReadonlyMap<string, string>;

/** More would be a mistake of the provider; each hop adds a handshake. */
const maxHops = 8;

interface Resolved {
  readonly result: Node | ProblemError;
  readonly hops: number;
}

/**
 * Turns the names that `detour` holds into ids. An id depends on the ids of the nodes behind it, so those are made
 * first. A node whose detour is unknown, no node, rejected itself or leads back to it is reported and left out.
 */
export function resolveDetours(
  entries: readonly Entry[],
  others: readonly OtherNames[],
  finish: (draft: NodeDraft) => Node,
  reject: (entry: Entry, error: unknown) => void,
): readonly { readonly node: Node; readonly line: number }[] {
  const targetOf = createLookup(entries, others.length);
  const resolved = new Map<Entry, Resolved>();
  const fail = (entry: Entry, reason: string): void => {
    resolved.set(entry, { result: new ProblemError('node.unsupported', reason), hops: 0 });
  };

  const resolve = (entry: Entry): void => {
    const { draft, scope } = entry;
    const name = draft.detour;
    if (resolved.has(entry)) return;
    if (name === undefined) {
      resolved.set(entry, { result: entry.node ?? finish(draft), hops: 0 });
      return;
    }
    const target = targetOf(entry);
    const next = target && resolved.get(target);
    if (next === undefined) fail(entry, noTarget(name, others[scope]?.get(name)));
    else if (next.result instanceof ProblemError)
      fail(entry, `it dials through ${quoted(name)}, which was rejected: ${next.result.message}`);
    else if (next.hops >= maxHops) fail(entry, `it dials through more than ${maxHops} nodes`);
    else resolved.set(entry, { result: finish({ ...draft, detour: next.result.id }), hops: next.hops + 1 });
  };

  return entries.flatMap((entry) => {
    const path = new Set<Entry>();
    let at: Entry | undefined = entry;
    while (at !== undefined && !resolved.has(at) && !path.has(at)) {
      path.add(at);
      at = targetOf(at);
    }
    const chain = [...path];
    if (at !== undefined && path.has(at)) {
      for (const member of chain.slice(chain.indexOf(at)))
        fail(member, 'it dials through itself by way of other nodes');
    }
    for (const link of chain.toReversed()) resolve(link);
    const result = resolved.get(entry)?.result;
    if (result instanceof ProblemError) reject(entry, result);
    return result === undefined || result instanceof ProblemError ? [] : [{ node: result, line: entry.line }];
  });
}

/** The first entry of a name has it, as in the engines. */
function createLookup(entries: readonly Entry[], scopes: number): (entry: Entry) => Entry | undefined {
  const byName = Array.from({ length: scopes }, () => new Map<string, Entry>());
  for (const entry of entries) {
    const names = byName[entry.scope];
    if (names !== undefined && !names.has(entry.name)) names.set(entry.name, entry);
  }
  return ({ draft, scope }) => (draft.detour === undefined ? undefined : byName[scope]?.get(draft.detour));
}

const quoted = (name: string): string => JSON.stringify(name.slice(0, 64).toWellFormed());

const noTarget = (name: string, what: string | undefined): string =>
  what === undefined
    ? `it dials through ${quoted(name)}, which is not in this subscription`
    : `it dials through ${quoted(name)}, which is ${what}`;
