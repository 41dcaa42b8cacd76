import { messageOf } from '@sbox/core';
import { errorFields } from '@sbox/daemon/log';
import { nodesFileName, nodesFileSchema, type NamedNode } from '@sbox/protocol';
import * as z from 'zod/mini';
import { isSameMode, type ControlGroup } from '../engines/control-api.ts';
import type { LiveSlot } from '../state/slots.ts';
import type { ApplyContext } from './context.ts';

/** What somebody chose. What a config chooses by itself is not in it. */
export interface Choices {
  /** The member by selector. */
  readonly members: ReadonlyMap<string, string>;
  /** Undefined: the mode that the config begins with. */
  readonly mode: string | undefined;
}

/** Larger lists are not read into the memory of the agent; their choices follow the name, as the engine does it. */
const maxNodesBytes = 8 * 1024 * 1024;

/** The engine begins with it where a config names none. */
const firstMode = 'Rule';

/** The choices in a running engine; undefined when it cannot be asked, for a take-over never waits for that. */
export async function readChoices(
  { control, log }: Pick<ApplyContext, 'control' | 'log'>,
  slot: LiveSlot | undefined,
): Promise<Choices | undefined> {
  const defaults = slot?.report.defaults;
  if (slot === undefined || defaults === undefined) return undefined;
  try {
    const selectors =
      Object.keys(defaults).length === 0 ? new Map<string, ControlGroup>() : await control.selectors(slot.control);
    const chosen = [...selectors].filter(([tag, { now }]) => Object.hasOwn(defaults, tag) && defaults[tag] !== now);
    const mode = await control.mode(slot.control);
    const isChosen = mode !== '' && !isSameMode(mode, slot.report.mode ?? firstMode);
    return { members: new Map(chosen.map(([tag, { now }]) => [tag, now])), mode: isChosen ? mode : undefined };
  } catch (error) {
    log.warn('The choices in the engine could not be read', { unit: slot.unit.name, ...errorFields(error) });
    return undefined;
  }
}

/**
 * Makes the choices of before again in an engine that took over: the same node under its new name, else the same name in
 * the same subscription. Where neither is left, or nobody chose, the config chooses, whatever the engine's cache remembers.
 * @returns what the engine would not do, in words
 */
export async function renewChoices(
  ctx: ApplyContext,
  before: LiveSlot | undefined,
  slot: LiveSlot,
  choices: Choices | undefined,
): Promise<string | undefined> {
  if (before === undefined || choices === undefined) return undefined;
  try {
    return (await renewMembers(ctx, before, slot, choices)) ?? (await renewMode(ctx, slot, choices));
  } catch (error) {
    ctx.log.warn('A choice could not be made again', { unit: slot.unit.name, ...errorFields(error) });
    return messageOf(error);
  }
}

async function renewMembers(
  ctx: ApplyContext,
  before: LiveSlot,
  slot: LiveSlot,
  { members }: Choices,
): Promise<string | undefined> {
  const { defaults = {} } = slot.report;
  if (Object.keys(defaults).length === 0) return undefined;
  const isChosen = members.size > 0;
  const find = isChosen ? createNodeFinder(await readNodes(ctx, before), await readNodes(ctx, slot)) : undefined;
  let refused: string | undefined;
  for (const [selector, { now, all }] of await ctx.control.selectors(slot.control)) {
    const preset = Object.hasOwn(defaults, selector) ? defaults[selector] : undefined;
    const chosen = members.get(selector);
    const renamed = chosen === undefined ? undefined : find?.(chosen);
    const wanted = renamed !== undefined && all.includes(renamed) ? renamed : preset;
    if (wanted === undefined || wanted === now) continue;
    const isSet = all.includes(wanted) && (await ctx.control.select(slot.control, selector, wanted));
    ctx.log.info('A choice was made again', { unit: slot.unit.name, selector, chosen, wanted, is_set: isSet });
    if (!isSet) refused ??= `the selector "${selector}" does not take "${wanted}"`;
  }
  return refused;
}

async function renewMode({ control }: ApplyContext, slot: LiveSlot, { mode }: Choices): Promise<string | undefined> {
  const wanted = mode ?? slot.report.mode ?? firstMode;
  if (isSameMode(await control.mode(slot.control), wanted)) return undefined;
  return (await control.setMode(slot.control, wanted)) ? undefined : `the engine does not take the mode "${wanted}"`;
}

async function readNodes({ store }: ApplyContext, { unit }: LiveSlot): Promise<readonly NamedNode[]> {
  const file = unit.files?.find(({ path }) => path === nodesFileName);
  if (file === undefined || file.size > maxNodesBytes) return [];
  const bytes = await store.blobs.read(file.digest);
  return bytes === undefined ? [] : z.parse(nodesFileSchema, JSON.parse(bytes.toString('utf8')));
}

/**
 * Finds what a tag is called now. A tag that is no node, such as a group, keeps its name.
 * @returns undefined when the node is gone
 */
export function createNodeFinder(
  before: readonly NamedNode[],
  after: readonly NamedNode[],
): (tag: string) => string | undefined {
  const old = new Map(before.map((node) => [node.tag, node]));
  const byTag = new Map(after.map((node) => [node.tag, node]));
  const byId = new Map(after.map((node) => [node.node_id, node.tag]));
  return (tag) => {
    const node = old.get(tag);
    const namesake = byTag.get(tag);
    if (node === undefined) return tag;
    const renamed = byId.get(node.node_id);
    if (renamed !== undefined) return renamed;
    return namesake?.subscription === node.subscription ? tag : undefined;
  };
}
