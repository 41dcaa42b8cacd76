import type { Json } from '@sbox/engines/sing-box/render';

/** What one list says: names, and addresses for connections that come without a name. */
interface Matches {
  /** Tags of rule-sets of names. */
  readonly names?: readonly string[];
  readonly domain_suffix?: readonly string[];
  /** Tags of rule-sets of addresses. */
  readonly addresses?: readonly string[];
}

export interface RulePreset {
  readonly description: string;
  /** URLs by tags; all are compiled (.srs). */
  readonly rule_sets: Readonly<Record<string, string>>;
  /** What belongs to the country, and is reached from inside it without a proxy. */
  readonly own?: Matches;
  /** What cannot be reached from inside without a proxy. */
  readonly blocked?: Matches;
}

const siteSets = 'https://raw.githubusercontent.com/SagerNet/sing-geosite/rule-set';
const addressSets = 'https://raw.githubusercontent.com/SagerNet/sing-geoip/rule-set';
const runetFreedom = 'https://raw.githubusercontent.com/runetfreedom/russia-v2ray-rules-dat/release/sing-box';
const iranRules = 'https://raw.githubusercontent.com/Chocolate4U/Iran-sing-box-rules/rule-set';

/** Rules that many people write, as data. */
export const rulePresets: Readonly<Record<string, RulePreset>> = {
  ru: {
    description: 'Russia: sites and addresses of the country, and what is blocked there.',
    rule_sets: {
      'geosite-ru': `${siteSets}/geosite-category-ru.srs`,
      'geoip-ru': `${addressSets}/geoip-ru.srs`,
      'geosite-ru-blocked': `${runetFreedom}/rule-set-geosite/geosite-ru-blocked.srs`,
      'geoip-ru-blocked': `${runetFreedom}/rule-set-geoip/geoip-ru-blocked.srs`,
    },
    own: {
      names: ['geosite-ru'],
      // .рф, .рус, .москва, .дети
      domain_suffix: ['ru', 'su', 'xn--p1ai', 'xn--p1acf', 'xn--80adxhks', 'xn--d1acj3b', 'moscow', 'tatar'],
      addresses: ['geoip-ru'],
    },
    blocked: { names: ['geosite-ru-blocked'], addresses: ['geoip-ru-blocked'] },
  },
  cn: {
    description: 'China: sites and addresses of the country, and what is blocked there.',
    rule_sets: {
      'geosite-cn': `${siteSets}/geosite-cn.srs`,
      'geoip-cn': `${addressSets}/geoip-cn.srs`,
      'geosite-gfw': `${siteSets}/geosite-gfw.srs`,
    },
    // .中国, .公司, .网络
    own: {
      names: ['geosite-cn'],
      domain_suffix: ['cn', 'xn--fiqs8s', 'xn--55qx5d', 'xn--io0a7i'],
      addresses: ['geoip-cn'],
    },
    blocked: { names: ['geosite-gfw'] },
  },
  ir: {
    description: 'Iran: sites and addresses of the country. There is no list of what is blocked there.',
    rule_sets: { 'geosite-ir': `${iranRules}/geosite-ir.srs`, 'geoip-ir': `${iranRules}/geoip-ir.srs` },
    // .ایران
    own: { names: ['geosite-ir'], domain_suffix: ['ir', 'xn--mgba3a4f16a'], addresses: ['geoip-ir'] },
  },
  ads: {
    description: 'Advertising and tracking.',
    rule_sets: { 'geosite-ads': `${siteSets}/geosite-category-ads-all.srs` },
    blocked: { names: ['geosite-ads'] },
  },
};

/**
 * `own` and `blocked` are conditions of rules, `-names` those of them that a DNS rule can have too, `-sets` the rule-sets
 * that they use. With a `?` behind it a part may be missing.
 */
export const presetParts = ['own', 'own-names', 'own-sets', 'blocked', 'blocked-names', 'blocked-sets'] as const;

/** The rules of one part of a preset, without what happens to them; or why there are none. */
export function presetRules(name: string, part: string): readonly Json[] | string {
  const preset = Object.hasOwn(rulePresets, name) ? rulePresets[name] : undefined;
  if (preset === undefined)
    return `there are no rules called "${name}"; there are ${Object.keys(rulePresets).join(', ')}`;
  const [, list, kind, mayMiss] = /^(own|blocked)(?:-(names|sets))?(\?)?$/.exec(part) ?? [];
  if (list === undefined) return `$part must be one of ${presetParts.join(', ')}`;
  const matches = preset[list as 'own' | 'blocked'];
  if (matches === undefined && mayMiss === undefined) return `the rules "${name}" do not say what is ${list}`;
  const { names = [], domain_suffix = [], addresses = [] } = matches ?? {};
  if (kind === 'sets') return [...names, ...addresses].map((tag) => remote(tag, preset.rule_sets[tag] ?? ''));
  return [
    ...(domain_suffix.length === 0 ? [] : [{ domain_suffix: [...domain_suffix] }]),
    ...(names.length === 0 ? [] : [{ rule_set: [...names] }]),
    ...(addresses.length === 0 || kind === 'names' ? [] : [{ rule_set: [...addresses] }]),
  ];
}

const remote = (tag: string, url: string): Json => ({ type: 'remote', tag, format: 'binary', url });
