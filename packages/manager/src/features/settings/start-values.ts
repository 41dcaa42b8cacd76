import { ProblemError } from '@sbox/core';
import { readVariable } from '@sbox/daemon/config';
import type { SettingValues } from './layers.ts';
import { complaintOf, configKeys, flatten, isParamKey } from './setting-keys.ts';

/** Before the keys of variables; two of `_` part what a dot parts elsewhere. */
const prefix = 'SBOXMGR_DEFAULTS__';

/**
 * The values that `defaults` of the settings file gives. Parameters are looked at by the configs that read them: which
 * there are is not known before the data is open.
 * @throws ProblemError `settings.invalid`
 */
export function fileValues(defaults: Readonly<Record<string, unknown>>): SettingValues {
  const values = flatten(defaults);
  for (const [key, value] of Object.entries(values)) {
    const complaint = isParamKey(key) ? undefined : complaintOf(key, value, []);
    if (complaint !== undefined) throw invalid(`defaults.${key}`, complaint);
  }
  return values;
}

/** `SBOXMGR_DEFAULTS__URLTEST__INTERVAL=1m` is `urltest.interval`. @throws ProblemError `settings.invalid` */
export function variableValues(environment: Readonly<Record<string, string | undefined>>): SettingValues {
  const found = Object.entries(environment).flatMap(([variable, text]): [string, unknown][] => {
    if (!variable.startsWith(prefix) || text === undefined) return [];
    const key = variable.slice(prefix.length).toLowerCase().replaceAll('__', '.');
    return [[key, readValue(variable, key, text)]];
  });
  return Object.fromEntries(found.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** As text where the setting is one, as YAML otherwise: `5`, `[a, b]`. */
function readValue(variable: string, key: string, text: string): unknown {
  if (!isParamKey(key) && !(configKeys as readonly string[]).includes(key))
    throw invalid(variable, `there is no setting ${key}`);
  if (!isParamKey(key) && complaintOf(key, text, []) === undefined) return text;
  const value = readVariable(variable, text, undefined);
  const complaint = isParamKey(key) ? undefined : complaintOf(key, value, []);
  if (complaint !== undefined) throw invalid(variable, complaint);
  return value;
}

const invalid = (key: string, message: string): ProblemError =>
  new ProblemError('settings.invalid', `${key}: ${message}`, { details: { keys: [{ key, message }] } });
