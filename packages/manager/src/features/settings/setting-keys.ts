import { ProblemError } from '@sbox/core';
import { readParams } from '@sbox/pipeline';
import { configSettingsSchema, settingKeys, type SettingKey } from '@sbox/protocol';
import type { ParamSpec, Template } from '@sbox/protocol/pipeline';
import * as z from 'zod/mini';
import type { ConfigSettings, WrittenSettings } from '../configs/rendering.ts';
import type { SettingLayer, SettingValues } from './layers.ts';

export const configKeys = Object.keys(settingKeys) as readonly SettingKey[];
const paramPrefix = 'params.';

export const isConfigKey = (key: string): key is SettingKey => Object.hasOwn(settingKeys, key);
export const isParamKey = (key: string): boolean => key.startsWith(paramPrefix);
export const paramKey = (name: string): string => `${paramPrefix}${name}`;
export const paramName = (key: string): string => key.slice(paramPrefix.length);

/** Whether a key decides the text of a config; the others are for the agent that runs it. */
export const isRendered = (key: string): boolean =>
  isParamKey(key) || (isConfigKey(key) && settingKeys[key].readers === 'settings');

/** The settings of a recipe or a file, as values by dotted keys; what is no setting stays under its own name. */
export const flatten = (tree: Readonly<Record<string, unknown>>): SettingValues => Object.fromEntries(leaves(tree, ''));

/** From entries, so that no name is lost: `__proto__` is one like any other, and refused as such. */
function leaves(tree: Readonly<Record<string, unknown>>, at: string): [string, unknown][] {
  return Object.entries(tree).flatMap(([name, value]): [string, unknown][] => {
    const key = at === '' ? name : `${at}.${name}`;
    if (value === undefined) return [];
    const isBranch = key === 'params' || configKeys.some((known) => known.startsWith(`${key}.`));
    return isBranch && typeof value === 'object' && value !== null && !Array.isArray(value)
      ? leaves(value as Readonly<Record<string, unknown>>, key)
      : [[key, value]];
  });
}

/** The other way: `urltest.url` becomes `{urltest: {url}}`. */
function nest(values: SettingValues): Record<string, unknown> {
  const tree: Record<string, Record<string, unknown>> = {};
  const flat: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(values)) {
    const [branch = '', leaf] = key.split('.');
    if (leaf === undefined) flat[branch] = value;
    else (tree[branch] ??= {})[leaf] = value;
  }
  return { ...flat, ...tree };
}

const defaults: SettingValues = flatten(z.parse(configSettingsSchema, {}));
export const defaultsLayer: SettingLayer = { layer: 'default', scope: '', values: defaults };

/** Settings in full, in the one order in which they are stored. */
export const completeSettings = (values: SettingValues): ConfigSettings =>
  z.parse(configSettingsSchema, nest({ ...defaults, ...values }));

export const writtenValues = (settings: WrittenSettings): SettingValues => flatten(settings);

/** A value as it takes effect, with what its own type adds, so that a later default changes nothing that is frozen. */
export const completeValue = (key: string, value: unknown): unknown =>
  isConfigKey(key) ? flatten(completeSettings({ [key]: value }))[key] : value;

/** Why a value cannot stand for a key; undefined when it can. */
export function complaintOf(key: string, value: unknown, templates: readonly Template[]): string | undefined {
  if (isConfigKey(key)) {
    const parsed = z.safeParse(settingKeys[key].schema, value);
    if (parsed.success) return undefined;
    const [issue] = parsed.error.issues;
    return [issue?.path.join('.'), issue?.message].filter(Boolean).join(': ');
  }
  if (!isParamKey(key)) return 'there is no such setting';
  const name = paramName(key);
  const declaring = templates.filter(({ params }) => Object.hasOwn(params, name));
  if (declaring.length === 0) return 'no template has such a parameter';
  for (const template of declaring) {
    const complaint = paramComplaint(template, name, value);
    if (complaint !== undefined) return `${template.name}: ${complaint}`;
  }
  return undefined;
}

function paramComplaint({ name: template, params }: Template, name: string, value: unknown): string | undefined {
  try {
    readParams({ name: template, params: { [name]: params[name] as ParamSpec } }, { [name]: value });
    return undefined;
  } catch (error) {
    if (error instanceof ProblemError) return error.message;
    throw error;
  }
}

/** @throws ProblemError `settings.invalid-value` with every key that is wrong */
export function checkValues(values: SettingValues, templates: readonly Template[], where: string): void {
  const issues = Object.entries(values).flatMap(([key, value]) => {
    const message = complaintOf(key, value, templates);
    return message === undefined ? [] : [{ where, field: key, message }];
  });
  const [first] = issues;
  if (first)
    throw new ProblemError('settings.invalid-value', `${where} ${first.field}: ${first.message}`, {
      details: { issues: issues.slice(0, 100) },
    });
}
