import { digestOf, ProblemError } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import { remoteRuleSets } from '@sbox/engines/sing-box/render';
import { fillTemplate, hideSecrets, patchDocument } from '@sbox/pipeline';
import { canonicalJson } from '@sbox/protocol';
import { omit } from '../../omit.ts';
import { differing } from '../settings/freeze.ts';
import { recipient, type Recipient, type SettingValues } from '../settings/layers.ts';
import { completeSettings, flatten, isParamKey, isRendered, paramKey, paramName } from '../settings/setting-keys.ts';
import { skeletonOf, type VersionInputs } from './rendering.ts';

/** What somebody gets of a version. */
export interface Variant {
  /** Empty for what everybody gets whom no layer is for. */
  readonly variant: string;
  /** The settings that make it another text, by dotted keys. */
  readonly differs: SettingValues;
  /** For this one only: with its settings and its skeleton, and nothing that could still change. */
  readonly inputs: VersionInputs;
}

const baseOf = ({ settings, fill }: VersionInputs): SettingValues => ({
  ...flatten(settings),
  ...Object.fromEntries(Object.entries(fill?.params ?? {}).map(([name, value]) => [paramKey(name), value])),
});

/**
 * A pure function of what a version froze and of who gets it.
 * @throws ProblemError `template.*` for values that do not go together
 */
export function variantFor(inputs: VersionInputs, facts: Partial<Recipient> = {}): Variant {
  const { layers = [] } = inputs;
  const rest = omit(inputs, 'layers', 'fill');
  const who = recipient({ ...facts, service: inputs.engine });
  const values = layers.length === 0 ? {} : differing({ base: baseOf(inputs), layers }, who);
  const entries = Object.entries(values);
  if (entries.length === 0) return { variant: '', differs: {}, inputs: rest };
  const own = Object.fromEntries(entries.filter(([key]) => !isParamKey(key)));
  const settings = completeSettings({ ...flatten(inputs.settings), ...own });
  const differs = Object.fromEntries(entries.filter(([key]) => isRendered(key)));
  if (Object.keys(differs).length === 0) return { variant: '', differs, inputs: { ...rest, settings } };
  const made = { ...rest, settings, ...skeletonFor(inputs, settings, differs) };
  return { variant: variantKey(differs), differs, inputs: made };
}

const variantKey = (differs: SettingValues): string =>
  digestOf(Buffer.from(canonicalJson(differs)), sha256).slice('sha256:'.length, 'sha256:'.length + 16);

function skeletonFor(
  { fill, skeleton }: VersionInputs,
  settings: VersionInputs['settings'],
  differs: SettingValues,
): Pick<VersionInputs, 'skeleton'> {
  const { template, params = {}, patch = [] } = fill ?? {};
  if (template) {
    const own = Object.entries(differs).flatMap(([key, value]) => (isParamKey(key) ? [[paramName(key), value]] : []));
    const filled = fillTemplate(template, { ...params, ...(Object.fromEntries(own) as Record<string, unknown>) });
    return { skeleton: patch.length === 0 ? filled : patchDocument(filled, patch) };
  }
  if (fill) return { skeleton: patchDocument(skeletonOf({ settings }), patch) };
  return skeleton === undefined ? {} : { skeleton };
}

/** The addresses of rule-sets that a config names. */
export const ruleSetUrls = (inputs: Pick<VersionInputs, 'skeleton' | 'settings'>): string[] =>
  remoteRuleSets(skeletonOf(inputs)).map(({ url }) => url);

/**
 * A combination that nobody had when the version was made may name rule-sets that were not frozen with it.
 * @throws ProblemError `rule-set.unavailable`
 */
export function refuseUnfrozen({ variant, inputs }: Variant): void {
  if (variant === '') return;
  const frozen = new Set((inputs.rule_sets ?? []).map(({ url }) => url));
  const missing = ruleSetUrls(inputs).find((url) => !frozen.has(url));
  if (missing !== undefined)
    throw new ProblemError('rule-set.unavailable', `this version was made without the rule-set ${missing}`, {
      fix: 'Generate a new version of the config: it freezes what the settings of its servers name now.',
    });
}

/** What differs, for people to look at. */
export function showDiffers(differs: SettingValues, { fill }: Pick<VersionInputs, 'fill'>): SettingValues {
  const params = Object.entries(differs).filter(([key]) => isParamKey(key));
  if (params.length === 0) return differs;
  const values = Object.fromEntries(params.map(([key, value]) => [paramName(key), value]));
  const shown = hideSecrets({ params: fill?.template?.params ?? {} }, values);
  return {
    ...differs,
    ...Object.fromEntries(Object.entries(shown).map(([name, value]) => [paramKey(name), value])),
  };
}
