import { ProblemError, redact } from '@sbox/core';
import { isRecord, type Json } from '@sbox/engines/sing-box/render';
import type { ObjectParamSpec, ParamSpec, Template } from '@sbox/protocol/pipeline';
import { itemName, itemOf, reference, wholeReference, type Known } from './template-names.ts';

type Names = ReadonlyMap<string, Known>;
type Spec = ParamSpec | ObjectParamSpec;
type Path = readonly (string | number)[];

/** Stands for a secret, and looks like nothing that is hidden by its looks. */
const mark = 'parameter-value';

/** A text with a secret in it, by the keys that it stands below once the template is filled. */
interface Place {
  readonly path: Path;
  readonly text: string;
}

/**
 * Secrets are hidden by the field that they stand in, so that a secret in another one would be shown to whoever may read
 * the config.
 * @throws ProblemError `template.invalid` for the first place where that would be
 */
export function refuseShownSecrets({ document, params }: Pick<Template, 'document' | 'params'>): void {
  const names = new Map(Object.entries(params).map(([name, spec]): [string, Known] => [name, { spec }]));
  for (const { path, text } of placesIn(document, names, [])) {
    if (!isShown(path, text)) continue;
    const shown = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`)).join('');
    throw new ProblemError(
      'template.invalid',
      `${shown.replace(/^\./, '')}: a secret parameter would be shown here, to everybody who may read the config`,
      { fix: 'Put it in a field for secrets, such as password, token or headers, or give it another type.' },
    );
  }
}

/** Whether people would see a value with the mark in it that stands below these keys. */
function isShown(path: Path, value: unknown): boolean {
  const wrapped = path.reduceRight<unknown>(
    (inner, key) => (typeof key === 'number' ? [inner] : { [key]: inner }),
    value,
  );
  return JSON.stringify(redact(wrapped, path.length + 2)).includes(mark);
}

/** Whether what is hidden at one place of a document, by the steps to it, is shown when it is brought to another. */
export function uncovers(from: readonly string[], to: readonly string[]): boolean {
  const [old, now] = [from, to].map((steps) => steps.map((step) => (/^(?:\d+|-)$/.test(step) ? 0 : step)));
  return [mark, [mark], { name: mark }].some((value) => !isShown(old ?? [], value) && isShown(now ?? [], value));
}

function* placesIn(value: unknown, names: Names, path: Path): Generator<Place> {
  if (typeof value === 'string') yield* placesOfText(value, names, path);
  else if (Array.isArray(value))
    for (const [index, item] of value.entries()) yield* placesIn(item, names, [...path, index]);
  else if (isRecord(value)) yield* placesOfObject(value, names, path);
}

function* placesOfObject(object: Json, names: Names, path: Path): Generator<Place> {
  const { $when, $then, $else, $each, $do, $with, ...rest } = object;
  yield* placesOfCondition($when, names);
  // What a directive gives takes its place: it stands where the directive does.
  for (const given of [$then, $else, $with]) yield* placesIn(given, names, path);
  // Items of a list that has no name of its own are known by nothing: no secret may be among them.
  const isNamed = typeof $each === 'string' && wholeReference.test($each);
  if (!isNamed) yield* withoutPlace($each, names);
  yield* placesIn($do, new Map([...names, [itemName(object), itemOf(object, names)]]), [...path, 0]);
  for (const [key, item] of Object.entries(rest)) yield* placesIn(item, names, [...path, key]);
}

/** Whether there is a secret at all may be asked; what it is could be found out by comparing. */
function* placesOfCondition(condition: unknown, names: Names): Generator<Place> {
  if (!isRecord(condition)) return;
  for (const [key, operand] of Object.entries(condition))
    if (key === '$eq' || key === '$in') yield* withoutPlace(operand, names);
    else for (const inner of Array.isArray(operand) ? operand : [operand]) yield* placesOfCondition(inner, names);
}

/** Secrets where none may be, whatever it stands in. */
function* withoutPlace(value: unknown, names: Names): Generator<Place> {
  for (const { text } of placesIn(value, names, [])) if (text.includes(mark)) yield { path: ['$when'], text: mark };
}

function* placesOfText(text: string, names: Names, path: Path): Generator<Place> {
  const [, whole] = wholeReference.exec(text) ?? [];
  if (whole !== undefined) {
    yield* placesOfSpec(specOf(whole, names), path);
    return;
  }
  const filled = text.replace(reference, (found, name: string | undefined) =>
    name !== undefined && specOf(name, names)?.type === 'secret' ? mark : found,
  );
  if (filled !== text) yield { path, text: filled };
}

/** A parameter that is put somewhere as a whole brings the names of its fields along. */
function* placesOfSpec(spec: Spec | undefined, path: Path): Generator<Place> {
  if (spec?.type === 'secret') yield { path, text: mark };
  else if (spec?.type === 'list') yield* placesOfSpec(spec.items, [...path, 0]);
  else if (spec?.type === 'object')
    for (const [name, field] of Object.entries(spec.fields)) yield* placesOfSpec(field, [...path, name]);
}

function specOf(written: string, names: Names): Spec | undefined {
  const [name = '', field] = written.split('.');
  const spec = names.get(name)?.spec;
  if (field === undefined) return spec;
  return spec?.type === 'object' && Object.hasOwn(spec.fields, field) ? spec.fields[field] : undefined;
}

/** Whether each leaf of parameters is a secret, by its path: `key`, `users[].password`. */
function leavesOf(params: Template['params']): ReadonlyMap<string, boolean> {
  const leaves = new Map<string, boolean>();
  const walk = (spec: Spec, path: string): void => {
    if (spec.type === 'list') walk(spec.items, `${path}[]`);
    else if (spec.type === 'object')
      for (const [name, field] of Object.entries(spec.fields)) walk(field, `${path}.${name}`);
    else leaves.set(path, spec.type === 'secret');
  };
  for (const [name, spec] of Object.entries(params)) walk(spec, name);
  return leaves;
}

const pathsOf = (params: Template['params'], isWanted: boolean): string[] =>
  [...leavesOf(params)].flatMap(([path, isSecret]) => (isSecret === isWanted ? [path] : []));

/** Secrets of a template by their paths: `key`, `users[].password`. */
export const secretsOf = ({ params }: Pick<Template, 'params'>): string[] => pathsOf(params, true);

/** What is no secret in a template, by the same paths. */
export const openOf = ({ params }: Pick<Template, 'params'>): string[] => pathsOf(params, false);
