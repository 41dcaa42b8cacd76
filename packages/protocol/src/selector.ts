import { ProblemError } from '@sbox/core';
import * as z from 'zod/mini';

/** Words that people put on servers and other things, as `role: edge`; an empty value is a mark without one. */
export type Labels = Readonly<Record<string, string>>;

/** One condition of a selector over one label. */
export interface Requirement {
  readonly label: string;
  readonly operator: 'in' | 'not-in' | 'exists' | 'not-exists';
  /** Empty for the operators that ask only whether the label is there. */
  readonly values: readonly string[];
}

/** What has to hold, all of it; none holds for everything. */
export type Selector = readonly Requirement[];

const maxLabels = 32;
const maxRequirements = 16;
const labelName = /^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$/;
const labelValue = /^([a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?)?$/;

const labelNameSchema = z
  .string()
  .check(z.regex(labelName, 'a label is small letters, digits, ., _, / and -, at most 63'));
const labelValueSchema = z.string().check(z.regex(labelValue, 'a value is letters, digits, ., _ and -, at most 63'));

export const labelsSchema = z
  .record(labelNameSchema, labelValueSchema)
  .check(z.refine((labels) => Object.keys(labels).length <= maxLabels, `at most ${maxLabels} labels`));

/** Labels to set, and with null to take off, as a merge patch (RFC 7396). */
export const labelsPatchSchema = z.record(labelNameSchema, z.nullable(labelValueSchema));

/** @throws ProblemError `request.invalid` where they become too many */
export function patchLabels(labels: Labels, patch: Readonly<Record<string, string | null>>): Labels {
  const merged = Object.entries({ ...labels, ...patch }).flatMap(([name, value]) =>
    value === null ? [] : [[name, value] as const],
  );
  if (merged.length > maxLabels) throw new ProblemError('request.invalid', `body labels: at most ${maxLabels} labels`);
  // In one order, so that equal labels are equal texts.
  return Object.fromEntries(merged.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** A selector as text; it is stored in the way it was written. */
export const selectorSchema = z.string().check(
  z.maxLength(1000),
  z.refine((text) => tryParse(text) !== undefined, 'must be like role=edge,region in (eu,us),!canary'),
);

/**
 * Reads the syntax that Kubernetes made common: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, with
 * commas between. The empty text selects everything.
 * @throws ProblemError `request.invalid`
 */
export function parseSelector(text: string): Selector {
  const selector = tryParse(text);
  if (selector) return selector;
  throw new ProblemError('request.invalid', `"${text}" is no selector`, {
    fix: 'Write conditions with commas between: role=edge,region in (eu,us),!canary',
  });
}

/** A server without the label meets `!=` and `notin`, as in Kubernetes. */
export const matchesSelector = (selector: Selector, labels: Labels): boolean =>
  selector.every(({ label, operator, values }) =>
    operators[operator].isMet(Object.hasOwn(labels, label) ? labels[label] : undefined, values),
  );

/** In one way of writing it, so that equal selectors are equal texts. */
export const printSelector = (selector: Selector): string =>
  [...new Set(selector.map(({ label, operator, values }) => operators[operator].print(label, values.toSorted())))]
    .toSorted()
    .join(',');

interface OperatorRow {
  readonly isMet: (value: string | undefined, values: readonly string[]) => boolean;
  readonly print: (label: string, values: readonly string[]) => string;
}

const operators: Readonly<Record<Requirement['operator'], OperatorRow>> = {
  in: {
    isMet: (value, values) => value !== undefined && values.includes(value),
    print: (label, values) => (values.length === 1 ? `${label}=${values[0]}` : `${label} in (${values.join(',')})`),
  },
  'not-in': {
    isMet: (value, values) => value === undefined || !values.includes(value),
    print: (label, values) => (values.length === 1 ? `${label}!=${values[0]}` : `${label} notin (${values.join(',')})`),
  },
  exists: { isMet: (value) => value !== undefined, print: (label) => label },
  'not-exists': { isMet: (value) => value === undefined, print: (label) => `!${label}` },
};

function tryParse(text: string): Selector | undefined {
  if (text.trim() === '') return [];
  // Commas inside of brackets part values, not conditions.
  const parts = text.match(/[^,(]+(\([^()]*\))?\s*(?=,|$)/g) ?? [];
  if (parts.join(',').replaceAll(/\s/g, '') !== text.replaceAll(/\s/g, '')) return undefined;
  const selector = parts.map(parseRequirement);
  return selector.length <= maxRequirements && selector.every((one) => one !== undefined) ? selector : undefined;
}

const listed = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/;
const compared = /^([^\s=!]+)\s*(==?|!=)\s*(\S*)$/;
const asked = /^(!?)\s*([^\s=!]+)$/;

function parseRequirement(part: string): Requirement | undefined {
  const trimmed = part.trim();
  const list = listed.exec(trimmed);
  if (list) {
    const values = (list[3] ?? '').split(',').map((value) => value.trim());
    return requirement(list[1], list[2] === 'in' ? 'in' : 'not-in', [...new Set(values)]);
  }
  const pair = compared.exec(trimmed);
  if (pair) return requirement(pair[1], pair[2] === '!=' ? 'not-in' : 'in', [pair[3] ?? '']);
  const mark = asked.exec(trimmed);
  return mark ? requirement(mark[2], mark[1] === '!' ? 'not-exists' : 'exists', []) : undefined;
}

const requirement = (
  label: string | undefined,
  operator: Requirement['operator'],
  values: readonly string[],
): Requirement | undefined =>
  label !== undefined && labelName.test(label) && values.every((value) => labelValue.test(value))
    ? { label, operator, values }
    : undefined;
