import * as z from 'zod/mini';
import { agentFeatures } from './features.ts';
import { manifestSchema, type Manifest } from './manifest.ts';

export type ManifestReading =
  | {
      readonly ok: true;
      readonly manifest: Manifest;
      /** What was left alone: `units[0].colour`, `units[1].kind=other`, `on_return=ask`. */
      readonly unsupported: readonly string[];
    }
  | { readonly ok: false; readonly reason: 'form' | 'features'; readonly detail: string };

export interface ManifestReaderOptions {
  readonly schema: z.ZodMiniType<Manifest>;
  /** What may stand in `critical`. */
  readonly features: readonly string[];
}

/** Values stand in for words of a newer manager: each is what an operator gets who says nothing. */
const fallbacks: readonly (readonly [place: RegExp, word: string])[] = [
  [/^on_return$/, 'enforce'],
  [/^units\[\d+\]\.reload$/, 'auto'],
];
/** Things of another kind are left out as a whole, whatever else is in them. */
const omissible: readonly (readonly [place: RegExp, depth: number])[] = [
  [/^units\[\d+\]\.kind$/, 2],
  [/^units\[\d+\]\.probes\[\d+\]\.type$/, 4],
];
/** Of one thing left out, another may come to light; more rounds than that is no manifest of ours. */
const maxRounds = 6;
const maxReported = 64;
const maxReportedChars = 120;

type Place = readonly PropertyKey[];
/** Plain JSON, which the reader takes apart. */
type Node = Record<PropertyKey, unknown>;

/**
 * A manifest as a newer manager may write it. An order whose kernel is understood is followed, because a server that
 * refuses every order of a newer manager is lost to its operator; what is not understood is said. Where half of an order
 * would be worse than none, the manager names the feature in `critical`, and the order is refused.
 */
export function createManifestReader({ schema, features }: ManifestReaderOptions): (body: unknown) => ManifestReading {
  return (body) => {
    const value = structuredClone(body);
    const missing = criticalOf(value).filter((name) => !features.includes(name));
    if (missing.length > 0) return refuse('features', `this agent does not know: ${missing.join(', ')}`);
    const unsupported: string[] = [];
    for (let round = 0; round < maxRounds; round += 1) {
      const parsed = z.safeParse(schema, value);
      if (parsed.success) return finish(parsed.data, unsupported);
      const { issues } = parsed.error;
      const left = omit(value, issues) ?? mend(value, issues);
      if (!left) return refuse('form', describe(issues));
      unsupported.push(...left);
    }
    return refuse('form', 'it has too much that this agent does not know');
  };
}

export const readManifest = createManifestReader({ schema: manifestSchema, features: agentFeatures });

const refuse = (reason: 'form' | 'features', detail: string): ManifestReading => ({
  ok: false,
  reason,
  detail: detail.slice(0, 1000),
});

function finish(manifest: Manifest, unsupported: readonly string[]): ManifestReading {
  // Nothing left of an order is not an order to stop everything.
  if (manifest.units.length === 0 && unsupported.some((place) => place.startsWith('units[')))
    return refuse('features', `this agent can run none of its units: ${unsupported.join(', ')}`);
  const reported = unsupported.slice(0, maxReported).map((place) => place.slice(0, maxReportedChars));
  return { ok: true, ...withoutStrayDependencies(manifest, reported) };
}

/** A unit does not wait for one that was left out: it could never come. */
function withoutStrayDependencies(
  manifest: Manifest,
  unsupported: readonly string[],
): { manifest: Manifest; unsupported: readonly string[] } {
  if (!unsupported.some((place) => /^units\[\d+\]\.kind/.test(place))) return { manifest, unsupported };
  const names = new Set(manifest.units.map(({ name }) => name));
  const stray = manifest.units.filter(({ depends_on: on = [] }) => on.some((name) => !names.has(name)));
  const units = manifest.units.map((unit) =>
    stray.includes(unit) ? { ...unit, depends_on: unit.depends_on?.filter((name) => names.has(name)) } : unit,
  );
  return {
    manifest: { ...manifest, units },
    unsupported: [...unsupported, ...stray.map(({ name }) => `depends_on of ${name}`)],
  };
}

function criticalOf(value: unknown): readonly string[] {
  const found = isNode(value) ? value['critical'] : undefined;
  return Array.isArray(found) ? found.map(String) : [];
}

type Issues = readonly z.core.$ZodIssue[];

/** Takes out what is of a kind that is not known; undefined when there is nothing of that. */
function omit(value: unknown, issues: Issues): string[] | undefined {
  const found = issues.flatMap(({ code, path }) => {
    const [, depth] = omissible.find(([place]) => place.test(print(path))) ?? [];
    if (depth === undefined || !['invalid_value', 'invalid_union'].includes(code)) return [];
    const word = at(value, path);
    return typeof word === 'string' ? [{ path: path.slice(0, depth), said: `${print(path)}=${word}` }] : [];
  });
  if (found.length === 0) return undefined;
  // From the last one, so that the places of the others stay what they are.
  for (const { path } of found.toReversed()) {
    const list = at(value, path.slice(0, -1));
    if (Array.isArray(list)) list.splice(Number(path.at(-1)), 1);
  }
  return found.map(({ said }) => said);
}

/** Takes out keys and replaces words that are not known; undefined when something else is wrong, too. */
function mend(value: unknown, issues: Issues): string[] | undefined {
  const said: string[] = [];
  for (const issue of issues) {
    const place = print(issue.path);
    if (issue.code === 'unrecognized_keys') {
      const node = at(value, issue.path);
      if (!isNode(node)) return undefined;
      for (const key of issue.keys) {
        delete node[key];
        said.push(print([...issue.path, key]));
      }
      continue;
    }
    const word = at(value, issue.path);
    const [, instead] = fallbacks.find(([pattern]) => pattern.test(place)) ?? [];
    const node = at(value, issue.path.slice(0, -1));
    if (issue.code !== 'invalid_value' || instead === undefined || typeof word !== 'string' || !isNode(node))
      return undefined;
    node[issue.path.at(-1) ?? ''] = instead;
    said.push(`${place}=${word}`);
  }
  return said;
}

const describe = (issues: Issues): string =>
  issues
    .slice(0, 5)
    .map(({ path, code }) => `${print(path) || 'the document'}: ${code.replaceAll('_', ' ')}`)
    .join('; ');

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null;

const at = (value: unknown, path: Place): unknown =>
  path.reduce<unknown>((node, key) => (isNode(node) ? node[key] : undefined), value);

/** `units[0].probe.urls`. */
const print = (path: Place): string =>
  path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    '',
  );
