import { ProblemError } from '@sbox/core';
import { isRecord, type Json } from '@sbox/engines/sing-box/render';
import type { ParamSpec, PlainParamSpec, Template } from '@sbox/protocol/pipeline';
import { compilePattern, readParams, type ParamValues } from './read-params.ts';
import { presetParts, presetRules } from './rule-presets.ts';
import { refuseShownSecrets } from './secret-places.ts';
import { itemName, itemOf, reference, wholeReference, type Known } from './template-names.ts';

const limits = { depth: 64, values: 500_000 } as const;

/**
 * The skeleton of a template. In its document
 * - a text that is `${name}` becomes the parameter, of whatever type; inside a longer text it becomes text. `$${` is a
 *   plain `${`. A parameter that was not given takes its place away with it.
 * - `{"$when": condition, "$then": ..., "$else": ...}` is one of the two, or nothing. A condition is a parameter (`true`, a
 *   number but 0, a text or list with something in it), or `{"$eq": [a, b]}`, `{"$in": [a, list]}`, `{"$not": c}`,
 *   `{"$all": [...]}`, `{"$any": [...]}`.
 * - `{"$each": list, "$as": "name", "$do": ...}` is a list of what `$do` gives for each item.
 * - `{"$rules": preset, "$part": ..., "$with": {...}}` is a list of rules of a preset (rule-presets.ts), each with the
 *   fields of `$with`.
 * - `{"$fail": "words"}` refuses the parameters.
 *
 * A list that stands in a list is poured into it.
 * @throws ProblemError `template.invalid-parameter`, `template.invalid`
 */
export function fillTemplate(template: Template, given: ParamValues = {}): Json {
  let values = 0;
  const context: Context = {
    count: (path, more) => {
      values += more;
      if (values > limits.values) throw invalid(path, `the document has more than ${limits.values} values`);
    },
  };
  const filled = fill(template.document, { scope: readParams(template, given), path: '', depth: 0, ...context });
  if (!isRecord(filled)) throw invalid('', 'the document must be an object');
  return filled;
}

interface Context {
  readonly count: (path: string, more: number) => void;
}

interface Place extends Context {
  readonly scope: ParamValues;
  /** As sing-box writes it: `route.rules[3]`. */
  readonly path: string;
  readonly depth: number;
}

/** What leaves no trace where it stands. */
const nothing = Symbol('nothing');

function invalid(path: string, message: string): ProblemError {
  return new ProblemError('template.invalid', path === '' ? message : `${path}: ${message}`, { details: { path } });
}

const into = (place: Place, key: string | number): Place => ({
  ...place,
  path: typeof key === 'number' ? `${place.path}[${key}]` : place.path === '' ? key : `${place.path}.${key}`,
  depth: place.depth + 1,
});

function fill(value: unknown, place: Place): unknown {
  if (place.depth > limits.depth) throw invalid(place.path, `it is nested deeper than ${limits.depth}`);
  place.count(place.path, 1);
  if (typeof value === 'string') return fillText(value, place);
  if (Array.isArray(value)) return fillList(value, place);
  if (!isRecord(value)) return value;
  const directive = directiveOf(value);
  return directive === undefined ? fillObject(value, place) : directives[directive](value, place);
}

function fillList(list: readonly unknown[], place: Place): unknown[] {
  return list.flatMap((item: unknown, index): readonly unknown[] => {
    const filled = fill(item, into(place, index));
    if (filled === nothing) return [];
    // A list that the template writes as such stays one.
    return Array.isArray(filled) && !Array.isArray(item) ? filled : [filled];
  });
}

function fillObject(object: Json, place: Place): Json {
  const entries = Object.entries(object).flatMap(([key, value]): [string, unknown][] => {
    if (key.startsWith('$') && !kept.has(key)) throw invalid(into(place, key).path, `${key} cannot stand here`);
    const filled = fill(value, into(place, key));
    return filled === nothing ? [] : [[key, filled]];
  });
  return Object.fromEntries(entries);
}

function fillText(text: string, place: Place): unknown {
  const [, whole] = wholeReference.exec(text) ?? [];
  if (whole !== undefined) {
    const value = lookUp(whole, place);
    place.count(place.path, sizeOf(value));
    return value ?? nothing;
  }
  const filled = text.replace(reference, (found, name: string | undefined) => {
    if (name === undefined) return '${';
    const value = lookUp(name, place);
    if (value === undefined) return '';
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
    throw invalid(place.path, `${found} is no single value and cannot be part of a text`);
  });
  place.count(place.path, sizeOf(filled));
  return filled;
}

/** Long texts count for more, so that few of them cannot fill the memory. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return Math.floor(value.length / 256);
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce<number>((sum, item) => sum + 1 + sizeOf(item), 0);
}

function lookUp(name: string, { scope, path }: Place): unknown {
  let value: unknown = scope;
  for (const step of name.split('.')) value = isRecord(value) && Object.hasOwn(value, step) ? value[step] : undefined;
  if (value === undefined && !/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$/.test(name))
    throw invalid(path, `\${${name}} is not the name of a parameter`);
  return value;
}

const directives = {
  $when: (value: Json, place: Place): unknown => {
    only(value, ['$when', '$then', '$else'], place);
    const branch = holds(value['$when'], into(place, '$when')) ? '$then' : '$else';
    return Object.hasOwn(value, branch) ? fill(value[branch], into(place, branch)) : nothing;
  },
  $each: (value: Json, place: Place): unknown => {
    only(value, ['$each', '$as', '$do'], place);
    const list = fill(value['$each'], into(place, '$each'));
    if (list === nothing) return nothing;
    if (!Array.isArray(list)) throw invalid(place.path, '$each must be a list');
    const name = itemName(value);
    return list.flatMap((item: unknown): readonly unknown[] => {
      const filled = fill(value['$do'], { ...into(place, '$do'), scope: { ...place.scope, [name]: item } });
      if (filled === nothing) return [];
      return Array.isArray(filled) ? filled : [filled];
    });
  },
  $rules: (value: Json, place: Place): unknown => {
    only(value, ['$rules', '$part', '$with'], place);
    const preset = fill(value['$rules'], into(place, '$rules'));
    const rest = fill(value['$with'] ?? {}, into(place, '$with'));
    const { $part: part } = value;
    if (typeof preset !== 'string' || typeof part !== 'string')
      throw invalid(place.path, '$rules and $part must be texts');
    const rules = presetRules(preset, part);
    if (typeof rules === 'string') throw invalid(place.path, rules);
    return rules.map((rule) => ({ ...rule, ...(isRecord(rest) ? rest : {}) }));
  },
  $fail: ({ $fail }: Json, { path }: Place): never => {
    const words = typeof $fail === 'string' ? $fail : 'the parameters do not fit together';
    throw new ProblemError('template.invalid-parameter', words, { details: { path } });
  },
} as const;

/** Keys of a skeleton that are not ours to fill in. */
const kept = new Set(['$schema', '$nodes', '$groups', '$empty']);

function directiveOf(object: Json): keyof typeof directives | undefined {
  return Object.keys(directives).find((key): key is keyof typeof directives => Object.hasOwn(object, key));
}

function only(object: Json, keys: readonly string[], { path }: Place): void {
  const strange = Object.keys(object).find((key) => !keys.includes(key));
  if (strange !== undefined) throw invalid(path, `${strange} cannot stand beside ${keys[0] ?? ''}`);
}

function holds(condition: unknown, place: Place): boolean {
  if (!isRecord(condition)) return isSomething(fill(condition, place));
  const [entry, second] = Object.entries(condition);
  const [key = '', operand] = entry ?? [];
  const pair = (): readonly unknown[] => {
    if (!Array.isArray(operand) || operand.length !== 2) throw invalid(place.path, `${key} takes two values`);
    return operand.map((item: unknown, index) => fill(item, into(into(place, key), index)));
  };
  const conditions = (): readonly unknown[] => {
    if (!Array.isArray(operand)) throw invalid(place.path, `${key} takes a list of conditions`);
    return operand;
  };
  if (second !== undefined) throw invalid(place.path, 'a condition has one key');
  switch (key) {
    case '$eq': {
      const [left, right] = pair();
      return left === right;
    }
    case '$in': {
      const [item, list] = pair();
      return Array.isArray(list) && list.includes(item);
    }
    case '$not':
      return !holds(operand, into(place, key));
    case '$all':
      return conditions().every((item) => holds(item, into(place, key)));
    case '$any':
      return conditions().some((item) => holds(item, into(place, key)));
    default:
      throw invalid(place.path, `there is no condition ${key}`);
  }
}

const isSomething = (value: unknown): boolean =>
  value !== nothing && value !== false && value !== 0 && value !== '' && !(Array.isArray(value) && value.length === 0);

/**
 * Everything that would make a template fail later on, whatever its parameters: names that are no parameters, `$` keys
 * that are not known, defaults that do not fit, secrets where they would be shown.
 * @throws ProblemError `template.invalid`
 */
export function checkTemplate(template: Template): void {
  const names = new Map(Object.entries(template.params).map(([name, spec]) => [name, { spec }]));
  checkNames(template.document, { names, path: '' });
  refuseShownSecrets(template);
  for (const [name, spec] of Object.entries(template.params)) {
    for (const inner of plainSpecsOf(spec)) {
      if (inner.type === 'string' && inner.pattern !== undefined) compilePattern(inner.pattern);
    }
    if (!('default' in spec) || spec.default === undefined) continue;
    try {
      readParams({ name: template.name, params: { [name]: spec } }, {});
    } catch (error) {
      throw invalid(`params.${name}.default`, error instanceof ProblemError ? error.message : String(error));
    }
  }
}

const directiveKeys = new Set([
  ...Object.keys(directives),
  ...'$then $else $as $do $part $with $eq $in $not $all $any'.split(' '),
]);

function plainSpecsOf(spec: ParamSpec): readonly PlainParamSpec[] {
  if (spec.type !== 'list') return [spec];
  return spec.items.type === 'object' ? Object.values(spec.items.fields) : [spec.items];
}

interface Names {
  readonly names: ReadonlyMap<string, Known>;
  readonly path: string;
}

function isKnown(written: string, names: Names['names']): boolean {
  const [name = '', field, ...rest] = written.split('.');
  const known = names.get(name);
  if (known === undefined || rest.length > 0) return false;
  if (field === undefined || known.spec === undefined) return true;
  return known.spec.type === 'object' && Object.hasOwn(known.spec.fields, field);
}

function checkNames(value: unknown, { names, path }: Names): void {
  if (typeof value === 'string') {
    for (const [found, name] of value.matchAll(reference)) {
      if (name !== undefined && !isKnown(name, names)) throw invalid(path, `${found} is not the name of a parameter`);
    }
    return;
  }
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) checkNames(item, { names, path: `${path}[${index}]` });
    return;
  }
  if (!isRecord(value)) return;
  const { $part: part } = value;
  if (typeof part === 'string' && !presetParts.some((known) => part === known || part === `${known}?`))
    throw invalid(path, `$part must be one of ${presetParts.join(', ')}`);
  const inner = Object.hasOwn(value, '$each') ? new Map([...names, [itemName(value), itemOf(value, names)]]) : names;
  for (const [key, item] of Object.entries(value)) {
    const at = path === '' ? key : `${path}.${key}`;
    if (key.startsWith('$') && !kept.has(key) && !directiveKeys.has(key)) throw invalid(at, `there is no ${key}`);
    checkNames(item, { names: key === '$do' ? inner : names, path: at });
  }
}
