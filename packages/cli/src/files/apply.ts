import { exitCodeOf, messageOf } from '@sbox/core';
import { keptLine } from '../commands/version-lines.ts';
import type { OperatorClient } from '../connection.ts';
import { isRecord } from '../local/document-file.ts';
import { kinds } from './kinds.ts';
import { hasDifference, stepText } from './plan-text.ts';
import type { Plan, Step } from './plan.ts';

/** How an apply ended: all of it, or up to the first thing that could not be done. */
export interface Applied {
  readonly done: readonly string[];
  readonly failed?: { readonly step: string; readonly error: unknown };
  readonly not_done: readonly string[];
  readonly exitCode: number;
}

interface Work {
  readonly text: string;
  run(): Promise<unknown>;
}

const partly = 9;

interface ApplyOptions {
  /** Makes versions of the configs that the files say. */
  readonly generate: boolean;
  readonly say: (line: string) => void;
  /** Is told of what was done and has not led to all that it should. */
  readonly warn: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Does what was planned, in its order, each with the revision that was planned with; stops at the first failure. */
export async function applyPlan(client: OperatorClient, plan: Plan, options: ApplyOptions): Promise<Applied> {
  const work = [...stepsOf(client, plan), ...(options.generate ? generations(client, plan) : [])];
  const done: string[] = [];
  for (const [index, { text, run }] of work.entries()) {
    try {
      options.signal.throwIfAborted();
      for (const config of keptIn(await run())) options.warn(keptLine(config));
    } catch (error) {
      const notDone = work.slice(index + 1).map((one) => one.text);
      const exitCode = options.signal.aborted ? 130 : done.length > 0 ? partly : exitCodeOf(error);
      return { done, failed: { step: text, error }, not_done: notDone, exitCode };
    }
    done.push(text);
    options.say(text);
  }
  return { done, not_done: [], exitCode: 0 };
}

type Kept = Parameters<typeof keptLine>[0];

/** Configs that written settings gave no version. */
const keptIn = (answer: unknown): readonly Kept[] =>
  isRecord(answer) && Array.isArray(answer['kept']) ? (answer['kept'] as readonly Kept[]) : [];

const stepsOf = (client: OperatorClient, plan: Plan): Work[] =>
  plan.steps
    .filter(({ action }) => action !== 'unchanged')
    .map((step) => ({ text: stepText(step), run: async () => await runStep(client, step) }));

async function runStep(client: OperatorClient, { action, kind, stored, value = {} }: Step): Promise<unknown> {
  if (!stored) return await kind.create(client, value);
  const { id, revision, isBuiltIn = false } = stored;
  const target = { id, headers: { 'if-match': `"${revision}"` }, isBuiltIn };
  return await (action === 'remove' ? kind.remove(client, target) : kind.replace(client, target, value));
}

/** Of all that have a file: what they are made from may have changed though they did not. Where nothing did, none is made. */
const generations = (client: OperatorClient, plan: Plan): Work[] =>
  kinds.flatMap(({ name: kindName, generate }) =>
    generate === undefined
      ? []
      : plan.steps
          .filter(({ kind, action }) => kind.name === kindName && action !== 'remove')
          .map(({ name }) => ({
            text: `version of ${kindName} ${name}`,
            run: async () => await generate(client, name, 'sboxmgr apply'),
          })),
  );

/** What was done and what was not, for people. */
export function appliedText({ done, failed, not_done }: Applied, plan: Plan): string {
  if (!failed) return hasDifference(plan) || done.length > 0 ? `done: ${done.length}` : 'nothing to do';
  return [
    `stopped at: ${failed.step}: ${messageOf(failed.error)}`,
    ...listed('done', done),
    ...listed('not done', [failed.step, ...not_done]),
    'What is done stays; mend the cause and apply again: it goes on from there.',
  ].join('\n');
}

const listed = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [`${title}: nothing`] : [`${title}:`, ...lines.map((line) => `  ${line}`)];
