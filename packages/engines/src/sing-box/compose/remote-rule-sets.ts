import { ProblemError } from '@sbox/core';
import { asRecord, isRecord, textsIn, type Json } from '../document.ts';
import type { RenderWarning, RenditionFile } from '../parts.ts';

/** A rule-set that an engine would fetch by itself. */
export interface RemoteRuleSet {
  readonly url: string;
  readonly tag: string;
  readonly format: 'binary' | 'source';
}

/** Everything that has to be mirrored before an engine can start with this document and no network. */
export function remoteRuleSets(config: unknown): RemoteRuleSet[] {
  const items = ruleSetsOf(asRecord(config)) ?? [];
  return items.flatMap(expandRuleSet).flatMap((item) => {
    const url = urlOf(item);
    return url === undefined
      ? []
      : [{ url, tag: textsIn(asRecord(item)['tag'])[0] ?? '', format: formatOf(item, url) }];
  });
}

const ruleSetsOf = (config: Json): readonly unknown[] | undefined => {
  const list = asRecord(config['route'])['rule_set'];
  return Array.isArray(list) ? list : undefined;
};

function urlOf(item: unknown): string | undefined {
  const { type, url } = asRecord(item);
  return type === 'remote' && typeof url === 'string' && url !== '' ? url : undefined;
}

/** sing-box guesses from the ending; what it cannot guess it takes for binary. */
function formatOf(item: unknown, url: string): RemoteRuleSet['format'] {
  const { format } = asRecord(item);
  if (format === 'source' || format === 'binary') return format;
  return /\.json$/i.test(URL.parse(url)?.pathname ?? url) ? 'source' : 'binary';
}

/** A rule-set of 1.14 may have several tags and `{tag}` in its URL: the same as one rule-set for each tag. */
export function expandRuleSet(item: unknown): unknown[] {
  if (!isRecord(item) || !Array.isArray(item['tag'])) return [item];
  const filled = (key: string, tag: string): Json =>
    typeof item[key] === 'string' ? { [key]: item[key].replaceAll('{tag}', tag) } : {};
  return textsIn(item['tag']).map((tag) => ({
    ...item,
    tag,
    ...filled('url', tag),
    ...filled('path', tag),
    ...filled('initial_path', tag),
  }));
}

/** A mirrored copy of a remote rule-set. */
export interface RuleSetFile extends RenditionFile {
  /** The byte behind `SRS`, or `version` of a rule-set in JSON; without it nobody asks whether the engine reads it. */
  readonly format_version?: number;
}

export interface Localised {
  readonly config: Json;
  readonly files: readonly RenditionFile[];
  readonly warnings: readonly RenderWarning[];
}

interface Mirroring {
  readonly mirrored: ReadonlyMap<string, RuleSetFile>;
  /** The target's 1.x. */
  readonly minor: number;
  readonly files: Map<string, RenditionFile>;
  readonly warnings: RenderWarning[];
}

/**
 * The document with the mirrored rule-sets as local files, and those files.
 * @throws ProblemError `template.unsupported` for a rule-set that the engine is too old to read
 */
export function localiseRuleSets(config: Json, mirrored: ReadonlyMap<string, RuleSetFile>, minor: number): Localised {
  const items = ruleSetsOf(config);
  if (items === undefined || mirrored.size === 0) return { config, files: [], warnings: [] };
  const mirroring: Mirroring = { mirrored, minor, files: new Map(), warnings: [] };
  const rule_set = items.flatMap((item, index) => {
    const each = expandRuleSet(item);
    const isMirrored = each.some((one) => mirrored.has(urlOf(one) ?? ''));
    return isMirrored ? each.map((one) => localise(one, `route.rule_set[${index}]`, mirroring)) : [item];
  });
  const { files, warnings } = mirroring;
  const route = { ...asRecord(config['route']), rule_set };
  return { config: { ...config, route }, files: [...files.values()], warnings };
}

function localise(item: unknown, at: string, { mirrored, minor, files, warnings }: Mirroring): unknown {
  const url = urlOf(item);
  const file = url === undefined ? undefined : mirrored.get(url);
  if (url === undefined || file === undefined) return item;
  const { tag } = asRecord(item);
  const warning = versionWarning(file, { tag: String(tag), at, minor });
  if (warning !== undefined) warnings.push(warning);
  const { path, digest, size } = file;
  files.set(path, { path, digest, size });
  return { type: 'local', tag, format: fileFormat(path) ?? formatOf(item, url), path };
}

/** Whoever mirrors names the file by its content; what an address says of it may be wrong. */
function fileFormat(path: string): RemoteRuleSet['format'] | undefined {
  if (path.endsWith('.json')) return 'source';
  return path.endsWith('.srs') ? 'binary' : undefined;
}

/** The first 1.x that reads a version, compiled or in JSON: tried on 1.11.15 to 1.14.4. All read 1 to 3. */
const readableSince: ReadonlyMap<number, number> = new Map([
  [4, 13],
  [5, 14],
]);
const newestVersion = Math.max(...readableSince.keys());

interface RuleSetUse {
  readonly tag: string;
  readonly at: string;
  readonly minor: number;
}

function versionWarning(
  { format_version = 1 }: RuleSetFile,
  { tag, at, minor }: RuleSetUse,
): RenderWarning | undefined {
  const since = readableSince.get(format_version);
  const newest = Math.max(...readableSince.values());
  const isUnknown = format_version > newestVersion;
  if (isUnknown ? minor < newest : minor < (since ?? 0)) {
    const needed = isUnknown ? `newer than 1.${newest}` : `1.${since} or newer`;
    const detail = `${at}: the rule-set "${tag}" is of version ${format_version}, which needs sing-box ${needed}`;
    throw new ProblemError('template.unsupported', detail, {
      details: { path: at, engine: `1.${minor}`, rule_set: tag, format_version },
      fix: `Upgrade the engine to ${needed}, or name a rule-set of an older version.`,
    });
  }
  if (!isUnknown) return undefined;
  const message = `the rule-set "${tag}" is of version ${format_version}, which is not known here: only an engine newer than 1.${newest} may read it`;
  return { code: 'rule-set.unknown-version', path: at, message };
}
