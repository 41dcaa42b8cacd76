import type { Change, Plan, Step } from './plan.ts';

/** A plan for programs; the fields are described in docs/guide/files.md and stay. */
export interface PlanJson {
  readonly format: 1;
  readonly manager: string;
  readonly prune: boolean;
  readonly create: number;
  readonly change: number;
  readonly remove: number;
  readonly unchanged: number;
  readonly steps: readonly {
    readonly action: Step['action'];
    readonly kind: string;
    readonly name: string;
    readonly file: string | null;
    readonly changes: readonly Change[];
    readonly notes: readonly string[];
  }[];
  readonly left: readonly { readonly kind: string; readonly name: string }[];
}

const countOf = ({ steps }: Plan, action: Step['action']): number =>
  steps.filter((step) => step.action === action).length;

/** Whether there is anything to do. */
export const hasDifference = (plan: Plan): boolean => plan.steps.some(({ action }) => action !== 'unchanged');

export const planJson = (plan: Plan, { manager, prune }: Pick<PlanJson, 'manager' | 'prune'>): PlanJson => ({
  format: 1,
  manager,
  prune,
  create: countOf(plan, 'create'),
  change: countOf(plan, 'change'),
  remove: countOf(plan, 'remove'),
  unchanged: countOf(plan, 'unchanged'),
  steps: plan.steps.map(({ action, kind, name, file, changes, notes }) => ({
    action,
    kind: kind.name,
    name,
    file: file ?? null,
    changes,
    notes,
  })),
  left: plan.left.map(({ kind, name }) => ({ kind: kind.name, name })),
});

const signs = { create: '+', change: '~', remove: '-', unchanged: '=' } as const;
const longest = 160;
const mostLeft = 10;

/** A plan for people: a line for each thing, below it what changes. */
export function planText(plan: Plan): string {
  const left = plan.left.map(({ kind, name }) => `${kind.name} ${name}`);
  const more = left.length - mostLeft;
  const count = `${countOf(plan, 'create')} to create, ${countOf(plan, 'change')} to change, ${countOf(plan, 'remove')} to remove, ${countOf(plan, 'unchanged')} unchanged`;
  return [
    ...plan.steps.flatMap(stepLines),
    count,
    ...(left.length === 0
      ? []
      : [
          `in no file, and left as they are: ${left.slice(0, mostLeft).join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
        ]),
  ].join('\n');
}

export const stepText = ({ action, kind, name }: Step): string => `${signs[action]} ${kind.name} ${name}`;

const stepLines = (step: Step): string[] => [
  stepText(step),
  ...step.changes.map((change) => `    ${changeText(change)}`),
  ...step.notes.map((note) => `    note: ${note}`),
];

function changeText(change: Change): string {
  const { path } = change;
  if (change.secret) return `${path}: another value (secret)`;
  if (!('before' in change)) return `${path}: + ${valueText(change.after)}`;
  if (!('after' in change)) return `${path}: - ${valueText(change.before)}`;
  return `${path}: ${valueText(change.before)} → ${valueText(change.after)}`;
}

/** Control characters of a value that came from outside are escaped by JSON. */
function valueText(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= longest ? text : `${text.slice(0, longest)}… (${text.length} characters)`;
}
