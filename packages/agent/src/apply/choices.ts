import { errorFields } from '@sbox/daemon/log';
import { nodesFileName, nodesFileSchema, type NamedNode } from '@sbox/protocol';
import * as z from 'zod/mini';
import type { LiveSlot } from '../state/slots.ts';
import type { ApplyContext } from './context.ts';

/** What somebody chose: the member by selector. What a config chooses by itself is not in it. */
export type Choices = ReadonlyMap<string, string>;

/** Larger lists are not read into the memory of the agent; their choices follow the name, as the engine does it. */
const maxNodesBytes = 8 * 1024 * 1024;
const none: Choices = new Map();

/** The choices in a running engine; none when it cannot be asked, for a take-over never waits for that. */
export async function readChoices({ control, log }: ApplyContext, slot: LiveSlot | undefined): Promise<Choices> {
  const defaults = slot?.report.defaults;
  if (slot === undefined || defaults === undefined || Object.keys(defaults).length === 0) return none;
  try {
    const selectors = await control.selectors(slot.control);
    const chosen = [...selectors].filter(([tag, { now }]) => Object.hasOwn(defaults, tag) && defaults[tag] !== now);
    return new Map(chosen.map(([tag, { now }]) => [tag, now]));
  } catch (error) {
    log.warn('The choices in the engine could not be read', { unit: slot.unit.name, ...errorFields(error) });
    return none;
  }
}

/**
 * Makes the choices of before again in an engine that took over: the same node under its new name, else the same name in
 * the same subscription. Where neither is left, the config chooses.
 */
export async function renewChoices(
  ctx: ApplyContext,
  before: LiveSlot | undefined,
  slot: LiveSlot,
  choices: Choices,
): Promise<void> {
  if (before === undefined || choices.size === 0) return;
  try {
    const [old, now] = [await readNodes(ctx, before), await readNodes(ctx, slot)];
    const selectors = await ctx.control.selectors(slot.control);
    const find = createNodeFinder(old, now);
    for (const [selector, chosen] of choices) {
      const group = selectors.get(selector);
      if (group === undefined) continue;
      const wanted = find(chosen) ?? slot.report.defaults?.[selector];
      if (wanted === undefined || wanted === group.now || !group.all.includes(wanted)) continue;
      const isSet = await ctx.control.select(slot.control, selector, wanted);
      ctx.log.info('A choice was made again', { unit: slot.unit.name, selector, chosen, wanted, is_set: isSet });
    }
  } catch (error) {
    ctx.log.warn('A choice could not be made again', { unit: slot.unit.name, ...errorFields(error) });
  }
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
