import { ProblemError } from '@sbox/core';
import { readParams, readyTemplates } from '@sbox/pipeline';
import { settingKeys } from '@sbox/protocol';
import type { Template } from '@sbox/protocol/pipeline';
import { isRecord } from '../local/document-file.ts';
import { isSame } from './compare.ts';
import type { Fault, Sides, Value } from './kind.ts';

const prefix = 'params.';
type Declaring = Pick<Template, 'name' | 'params'>;

/**
 * What the manager would refuse of values that are new: keys that nothing reads, and values of another type than theirs.
 * Parameters are those of the templates as they will be, and what else the manager knows.
 */
export async function faultsInValues({ value, before, templates, keys }: Sides): Promise<Fault[]> {
  const [now, old] = [valuesIn(value), valuesIn(before)];
  const news = Object.entries(now).filter(([key, one]) => !Object.hasOwn(old, key) || !isSame(one, old[key]));
  if (news.length === 0) return [];
  const asksTemplates = news.some(([key]) => key.startsWith(prefix));
  const known = asksTemplates ? await keys() : [];
  const declaring = asksTemplates ? [...templates.flatMap(declaringOf), ...readyTemplates] : [];
  return news.flatMap(([key, one]) => {
    const message = key.startsWith(prefix) ? paramFault(key, one, { known, declaring }) : keyFault(key, one);
    return message === undefined ? [] : [{ path: ['values', key], message }];
  });
}

const valuesIn = (value: Value | undefined): Value => (isRecord(value?.['values']) ? value['values'] : {});

const declaringOf = ({ name, params }: Value): Declaring[] =>
  typeof name === 'string' && isRecord(params) ? [{ name, params: params as Template['params'] }] : [];

function keyFault(key: string, value: unknown): string | undefined {
  if (!Object.hasOwn(settingKeys, key)) return 'there is no such setting';
  const parsed = settingKeys[key as keyof typeof settingKeys].schema.safeParse(value);
  if (parsed.success) return undefined;
  const [issue] = parsed.error.issues;
  return [issue?.path.join('.'), issue?.message].filter(Boolean).join(': ');
}

interface Params {
  readonly known: readonly string[];
  readonly declaring: readonly Declaring[];
}

function paramFault(key: string, value: unknown, { known, declaring }: Params): string | undefined {
  const name = key.slice(prefix.length);
  const found = declaring.filter(({ params }) => Object.hasOwn(params, name));
  if (found.length === 0 && !known.includes(key)) return 'no template has such a parameter';
  for (const template of found) {
    const spec = template.params[name];
    try {
      if (spec) readParams({ name: template.name, params: { [name]: spec } }, { [name]: value });
    } catch (error) {
      if (error instanceof ProblemError) return `${template.name}: ${error.message}`;
      throw error;
    }
  }
  return undefined;
}
