import { messageOf, parseDuration, ProblemError } from '@sbox/core';
import type { ObjectParamSpec, ParamSpec, Template } from '@sbox/protocol/pipeline';
import { createPatternCompiler, type Pattern } from '../regex.ts';

/** Values by the names of parameters. */
export type ParamValues = Readonly<Record<string, unknown>>;

type Spec = ParamSpec | ObjectParamSpec;

/** What is wrong with one value; never the value itself, it may be a secret. */
interface Complaint {
  readonly param: string;
  readonly message: string;
}

const maxListItems = 1000;
const maxTextLength = 64 * 1024;

/**
 * The values to fill a template with: what was given, and the defaults.
 * @throws ProblemError `template.invalid-parameter`, with all complaints in its details
 */
export function readParams({ name, params }: Pick<Template, 'name' | 'params'>, given: ParamValues): ParamValues {
  const complaints: Complaint[] = [];
  for (const param of Object.keys(given)) {
    if (Object.hasOwn(params, param)) continue;
    const known = Object.keys(params).join(', ');
    complaints.push({ param, message: `${name} has no such parameter; it has ${known === '' ? 'none' : known}` });
  }
  const values = Object.entries(params).flatMap(([param, spec]): [string, unknown][] => {
    const value = Object.hasOwn(given, param) ? given[param] : undefined;
    const read = readValue(spec, value ?? defaultOf(spec), param, complaints);
    return read === undefined ? [] : [[param, read]];
  });
  const [first] = complaints;
  if (first === undefined) return Object.fromEntries(values);
  throw new ProblemError('template.invalid-parameter', `${first.param}: ${first.message}`, {
    details: { template: name, params: complaints },
  });
}

const defaultOf = (spec: Spec): unknown => ('default' in spec ? spec.default : undefined);

function readValue(spec: Spec, value: unknown, param: string, complaints: Complaint[]): unknown {
  if (value === undefined || value === null) {
    if (spec.optional !== true) complaints.push({ param, message: 'it has to be given' });
    return undefined;
  }
  if (spec.type === 'list') {
    const { items } = spec;
    if (!Array.isArray(value)) return void complaints.push({ param, message: 'must be a list' });
    const message = sizeComplaint(value.length, {
      min: spec.min,
      max: Math.min(spec.max ?? maxListItems, maxListItems),
    });
    if (message !== undefined) complaints.push({ param, message: `must have ${message} items` });
    return value
      .slice(0, maxListItems)
      .map((item: unknown, index) => readValue(items, item, `${param}[${index}]`, complaints));
  }
  if (spec.type === 'object') return readObject(spec, value, param, complaints);
  const message = checks[spec.type](value, spec as never);
  if (message !== undefined) complaints.push({ param, message });
  return value;
}

function readObject({ fields }: ObjectParamSpec, value: unknown, param: string, complaints: Complaint[]): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return void complaints.push({ param, message: 'must be an object' });
  const given = value as ParamValues;
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(fields, key)) complaints.push({ param: `${param}.${key}`, message: 'there is no such field' });
  }
  const read = Object.entries(fields).flatMap(([key, spec]): [string, unknown][] => {
    const own = Object.hasOwn(given, key) ? given[key] : undefined;
    const field = readValue(spec, own ?? defaultOf(spec), `${param}.${key}`, complaints);
    return field === undefined ? [] : [[key, field]];
  });
  return Object.fromEntries(read);
}

interface Bounds {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

function sizeComplaint(size: number, { min = -Infinity, max = Infinity }: Bounds): string | undefined {
  if (size >= min && size <= max) return undefined;
  if (max === Infinity) return `at least ${min}`;
  return min === -Infinity ? `at most ${max}` : `${min} to ${max}`;
}

type PlainType = Exclude<Spec['type'], 'list' | 'object'>;
type SpecOf<T extends PlainType> = Extract<Spec, { readonly type: T }>;

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= maxTextLength;

const textComplaint = (value: unknown, bounds: Bounds): string | undefined => {
  if (!isText(value)) return 'must be a text';
  const message = sizeComplaint(value.length, bounds);
  return message === undefined ? undefined : `must have ${message} characters`;
};

const whole = (value: unknown, bounds: Bounds): string | undefined => {
  if (!Number.isSafeInteger(value)) return 'must be a whole number';
  const message = sizeComplaint(Number(value), bounds);
  return message === undefined ? undefined : `must be ${message}`;
};

const when =
  (isGood: (value: string) => boolean, message: string) =>
  (value: unknown): string | undefined =>
    isText(value) && isGood(value) ? undefined : message;

/** Undefined when the value is good. */
const checks: { readonly [T in PlainType]: (value: unknown, spec: SpecOf<T>) => string | undefined } = {
  string: (value, spec) => {
    const message = textComplaint(value, spec);
    if (message !== undefined || spec.pattern === undefined) return message;
    return compilePattern(spec.pattern).isIn(String(value)) ? undefined : `must match ${spec.pattern}`;
  },
  int: whole,
  bool: (value) => (typeof value === 'boolean' ? undefined : 'must be true or false'),
  enum: (value, { values }) =>
    typeof value === 'string' && values.includes(value) ? undefined : `must be one of ${values.join(', ')}`,
  port: (value) => whole(value, { min: 1, max: 65_535 }),
  cidr: when(isCidr, 'must be an address with a prefix length as 10.0.0.0/8'),
  duration: when((value) => (parseDuration(value) ?? 0) > 0, 'must be a duration as 30s or 5m'),
  url: when((value) => /^https?:\/\/\S+$/.test(value) && URL.canParse(value), 'must be an http or https URL'),
  secret: textComplaint,
};

/** @throws ProblemError `template.invalid` */
export function compilePattern(pattern: string): Pattern {
  try {
    return createPatternCompiler()(pattern);
  } catch (error) {
    throw new ProblemError('template.invalid', messageOf(error), { cause: error });
  }
}

function isCidr(value: string): boolean {
  const [, address = '', bits = ''] = /^([0-9a-f.:]+)\/(\d{1,3})$/i.exec(value) ?? [];
  if (address.includes(':')) return Number(bits) <= 128 && URL.canParse(`http://[${address}]/`);
  return /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(address) && Number(bits) <= 32;
}

const mark = '***';

/** The values with a mark in place of every secret, for people to look at. */
export function hideSecrets({ params }: Pick<Template, 'params'>, values: ParamValues): ParamValues {
  const hidden = (spec: Spec | undefined, value: unknown): unknown => {
    if (value === undefined || value === null) return value;
    // Values of another version of the template: what this one does not know may be a secret.
    if (spec === undefined || spec.type === 'secret') return mark;
    if (spec.type === 'list') return Array.isArray(value) ? value.map((item) => hidden(spec.items, item)) : mark;
    if (spec.type !== 'object') return typeof value === 'object' ? mark : value;
    return typeof value === 'object' ? hiddenIn(spec.fields, value) : mark;
  };
  const hiddenIn = (specs: Readonly<Record<string, Spec>>, from: object): ParamValues =>
    Object.fromEntries(
      Object.entries(from).map(([name, value]) => [
        name,
        hidden(Object.hasOwn(specs, name) ? specs[name] : undefined, value),
      ]),
    );
  return hiddenIn(params, values);
}
