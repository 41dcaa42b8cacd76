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

export const labelsSchema = z
  .record(
    z.string().check(z.regex(labelName, 'a label is small letters, digits, ., _, / and -, at most 63')),
    z.string().check(z.regex(labelValue, 'a value is letters, digits, ., _ and -, at most 63')),
  )
  .check(z.refine((labels) => Object.keys(labels).length <= maxLabels, `at most ${maxLabels} labels`));

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
  selector.every(({ label, operator, values }) => {
    const value = Object.hasOwn(labels, label) ? labels[label] : undefined;
    switch (operator) {
      case 'in':
        return value !== undefined && values.includes(value);
      case 'not-in':
        return value === undefined || !values.includes(value);
      case 'exists':
        return value !== undefined;
      case 'not-exists':
        return value === undefined;
    }
  });

/** In one way of writing it, so that equal selectors are equal texts. */
export const printSelector = (selector: Selector): string =>
  selector
    .map(({ label, operator, values }) => printRequirement(label, operator, values.toSorted()))
    .toSorted()
    .join(',');

function printRequirement(label: string, operator: Requirement['operator'], values: readonly string[]): string {
  const [only] = values;
  switch (operator) {
    case 'in':
      return values.length === 1 ? `${label}=${only}` : `${label} in (${values.join(',')})`;
    case 'not-in':
      return values.length === 1 ? `${label}!=${only}` : `${label} notin (${values.join(',')})`;
    case 'exists':
      return label;
    case 'not-exists':
      return `!${label}`;
  }
}

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
