import { ProblemError, redactedMark } from '@sbox/core';
import type { OperatorClient } from '../connection.ts';
import { isRecord } from '../local/document-file.ts';
import {
  differences,
  fillHidden,
  hasMark,
  hiddenPlaces,
  hidePlaces,
  isSame,
  valueAt,
  type Difference,
} from './compare.ts';
import { fileNameOf } from './file-names.ts';
import type { Kind, Stored, Value } from './kind.ts';
import { kinds } from './kinds.ts';
import { pathText, type Complaint, type ReadDirectory, type Written } from './read-directory.ts';

/** One field that changes. `secret` stands for values that are not shown. */
export interface Change {
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly secret?: true;
}

export type Action = 'create' | 'change' | 'remove' | 'unchanged';

/** What is to be done with one thing. */
export interface Step {
  readonly action: Action;
  readonly kind: Kind;
  readonly name: string;
  readonly file?: string;
  readonly changes: readonly Change[];
  readonly notes: readonly string[];
  /** As it was when this was planned. */
  readonly stored?: Stored;
  /** What is sent. */
  readonly value?: Value;
}

export interface Plan {
  /** In the order in which they are done. */
  readonly steps: readonly Step[];
  /** What the manager has, no file says, and stays. */
  readonly left: readonly { readonly kind: Kind; readonly name: string }[];
}

interface Known {
  readonly kind: Kind;
  readonly written: readonly Written[];
  readonly stored: ReadonlyMap<string, Stored>;
}

export interface PlanOptions {
  readonly prune: boolean;
}

/**
 * What has to be done so that the manager has what the files say.
 * @throws ProblemError `files.invalid` with every place that cannot be
 */
export async function makePlan(client: OperatorClient, read: ReadDirectory, { prune }: PlanOptions): Promise<Plan> {
  const complaints: Complaint[] = [...read.complaints];
  const all: Known[] = [];
  for (const kind of kinds) all.push(await lookUp(client, kind, read));
  const gone = (kind: Kind): boolean => prune && read.kept.has(kind.name);
  for (const { written } of all)
    for (const thing of written) complaints.push(...missing(thing, { all, gone, refused: read.refused }));
  const steps: Step[] = [];
  const keys = askOnce(async () => (await client.settings.keys({})).items.map(({ key }) => key));
  for (const known of all)
    for (const thing of known.written) {
      const step = await stepFor(client, known, thing);
      if ('complaints' in step) complaints.push(...step.complaints);
      else {
        steps.push(step);
        complaints.push(...(await faultsOf(client, { thing, step, all, keys })));
      }
    }
  if (complaints.length > 0) throw invalidFiles(complaints);
  const extra = all.map(extraOf);
  const removed = extra.flatMap(({ kind, things }) =>
    gone(kind) ? things.map((stored) => removal(kind, stored)) : [],
  );
  const left = extra.flatMap(({ kind, things }) =>
    gone(kind) ? [] : things.map(({ value }) => ({ kind, name: nameOf(kind, value) })),
  );
  const noted = steps.map((step) => withRename(step, extra.find(({ kind }) => kind === step.kind)?.things ?? [], gone));
  const isFirst = ({ kind }: Step): boolean => kind.isRemovedFirst === true;
  const last = removed.toReversed();
  return { steps: [...last.filter(isFirst), ...noted, ...last.filter((step) => !isFirst(step))], left };
}

/** Every place in one error; the command prints them. */
const invalidFiles = (complaints: readonly Complaint[]): ProblemError =>
  new ProblemError(
    'files.invalid',
    complaints.length === 1 ? 'one place has to be corrected' : `${complaints.length} places have to be corrected`,
    { details: { places: complaints } },
  );

const nameOf = (kind: Kind, value: Value): string => String(value[kind.key]);

async function lookUp(client: OperatorClient, kind: Kind, { things, kept }: ReadDirectory): Promise<Known> {
  const written = things.filter((thing) => thing.kind === kind);
  const stored = await kind.list(client).catch((error: unknown) => {
    // Kinds that the files say nothing of need no permission, and no manager that knows them.
    const isElsewhere =
      error instanceof ProblemError && ['auth.forbidden', 'remote.failed', 'route.not-found'].includes(error.code);
    if (isElsewhere && !kept.has(kind.name)) return [];
    throw error;
  });
  return { kind, written, stored: new Map(stored.map((one) => [nameOf(kind, one.value), one])) };
}

interface Around {
  readonly all: readonly Known[];
  readonly gone: (kind: Kind) => boolean;
  readonly refused: ReadonlySet<string>;
}

/** What a thing names and will not be there. */
function missing({ kind, value, file, at }: Written, { all, gone, refused }: Around): Complaint[] {
  return (kind.references?.(value) ?? []).flatMap((reference) => {
    const other = all.find((known) => known.kind.name === reference.kind);
    if (!other || other.written.some(({ name }) => name === reference.name)) return [];
    if (refused.has(`${other.kind.folder}/${fileNameOf(reference.name)}.yaml`)) return [];
    const stored = other.stored.get(reference.name);
    if (stored && (stored.revision === null || !gone(other.kind))) return [];
    const byId = [...other.stored].find(([, { id }]) => id === reference.name)?.[0];
    const message = stored
      ? `the ${reference.kind} ${reference.name} has no file, and --prune removes it`
      : byId === undefined
        ? `there is no ${reference.kind} ${reference.name}, neither in the files nor at the manager`
        : `is an id: write the name, ${byId}`;
    return [{ file, ...at(reference.path), message: `${pathText(reference.path)}: ${message}` }];
  });
}

interface Checked {
  readonly thing: Written;
  readonly step: Step;
  readonly all: readonly Known[];
  readonly keys: () => Promise<readonly string[]>;
}

/** However many files want to know. */
function askOnce<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined;
  return async () => await (asked ??= ask());
}

/** What the manager would refuse of a step. */
async function faultsOf(client: OperatorClient, { thing, step, all, keys }: Checked): Promise<Complaint[]> {
  const { kind, file, at } = thing;
  const { value, stored } = step;
  if (!kind.check || !value) return [];
  const { written = [], stored: known = new Map<string, Stored>() } =
    all.find((one) => one.kind.name === 'template') ?? {};
  const files = written.map((one) => one.value);
  const others = [...known.values()]
    .map((one) => one.value)
    .filter(({ name }) => !files.some((one) => one['name'] === name));
  const faults = await kind.check(client, { value, before: stored?.value, templates: [...files, ...others], keys });
  return faults.map(({ path, message }) => ({ file, ...at(path), message: `${pathText(path)}: ${message}` }));
}

interface Refused {
  readonly complaints: readonly Complaint[];
}

async function stepFor(
  client: OperatorClient,
  { kind, stored: known }: Known,
  thing: Written,
): Promise<Step | Refused> {
  const stored = known.get(thing.name);
  const { name, file, value } = thing;
  const refuse = (path: Complaint['message'], place: readonly PropertyKey[]): Refused => ({
    complaints: [{ file, ...thing.at(place), message: `${pathText(place)}: ${path}` }],
  });
  if (!stored) {
    const hidden = hiddenPlaces(value);
    return hidden.length === 0
      ? { action: 'create', kind, name, file, changes: [], notes: [], value }
      : {
          complaints: hidden.flatMap(
            (place) => refuse('is hidden, and the manager has no value to keep', place).complaints,
          ),
        };
  }
  if (stored.revision === null) return refuse(`${name} comes with sbox: choose another name`, [kind.key]);
  const same: Step = { action: 'unchanged', kind, name, file, changes: [], notes: [], stored };
  if (isSame(value, stored.value)) return same;
  const real = await realOf(client, kind, thing, stored);
  const filled = fillHidden(value, stored.value, real.value) as Value;
  if (isSame(filled, real.value)) return same;
  const isKept = (place: readonly PropertyKey[]): boolean =>
    real === stored && isSame(valueAt(filled, place.slice(0, 1)), valueAt(stored.value, place.slice(0, 1)));
  const hidden = hiddenPlaces(filled).filter(
    (place) => !isKept(place) && !isSame(valueAt(real.value, place), redactedMark),
  );
  if (hidden.length > 0)
    return {
      complaints: hidden.flatMap(
        (place) => refuse('is hidden, and what was there cannot be told: write the value', place).complaints,
      ),
    };
  const fixed = (kind.fixed ?? []).find((field) => !isSame(filled[field], real.value[field]));
  if (fixed !== undefined)
    return refuse(`stays ${JSON.stringify(real.value[fixed])} as it was made: give the ${kind.name} another name`, [
      fixed,
    ]);
  const changes = shownChanges(thing, { shown: stored.value, real: real.value, filled });
  return { action: 'change', kind, name, file, changes, notes: [], stored: real, value: filled };
}

/**
 * What is stored, with its secrets where they count: a secret in a file can only be compared with the secret itself.
 * @throws ProblemError `auth.forbidden`, `precondition.failed`
 */
async function realOf(client: OperatorClient, kind: Kind, { value, file }: Written, stored: Stored): Promise<Stored> {
  if (!kind.reveal || !(hasMark(stored.value) || hasMark(value))) return stored;
  const real = await kind.reveal(client, stored.id).catch((error: unknown) => {
    if (!(error instanceof ProblemError) || error.code !== 'auth.forbidden') throw error;
    const unclear = kind.secrets.filter(
      (field) => !isSame(value[field], stored.value[field]) && (hasMark(value[field]) || hasMark(stored.value[field])),
    );
    if (unclear.length === 0) return stored;
    throw new ProblemError('auth.forbidden', `${file} changes ${unclear.join(', ')}, which has hidden values`, {
      cause: error,
      details: { permission: 'secrets:reveal' },
      fix: `Use a token with the permission secrets:reveal, or leave ${unclear.join(', ')} as it is exported.`,
    });
  });
  if (real.revision === stored.revision) return real;
  throw new ProblemError('precondition.failed', `${file}: it was changed while the plan was made`, {
    fix: 'Plan again.',
  });
}

interface Sides {
  readonly shown: Value;
  readonly real: Value;
  readonly filled: Value;
}

/** The fields that change, with nothing in them that the manager would not show, or that came from elsewhere. */
function shownChanges({ kind, substituted }: Written, { shown, real, filled }: Sides): Change[] {
  const after = hidePlaces(kind.hide?.(filled, shown) ?? filled, substituted);
  return differences(real, filled).map(({ path, ...sides }: Difference) => {
    const [was, is] = [valueAt(shown, path), valueAt(after, path)];
    const isSecret = isSame(was, is) || is === redactedMark || was === redactedMark;
    return isSecret
      ? { path: pathText(path), secret: true }
      : {
          path: pathText(path),
          ...('before' in sides ? { before: was } : {}),
          ...('after' in sides ? { after: is } : {}),
        };
  });
}

const extraOf = ({ kind, written, stored }: Known): { kind: Kind; things: Stored[] } => {
  const names = new Set(written.map(({ name }) => name));
  return {
    kind,
    things: [...stored].flatMap(([name, one]) =>
      names.has(name) || one.revision === null || one.isBuiltIn === true ? [] : [one],
    ),
  };
};

const removal = (kind: Kind, stored: Stored): Step => ({
  action: 'remove',
  kind,
  name: nameOf(kind, stored.value),
  changes: [],
  notes: [],
  stored,
});

/** Names are all that a plan knows things by, so that another name is another thing. */
function withRename(step: Step, extra: readonly Stored[], gone: (kind: Kind) => boolean): Step {
  const { kind, value, action } = step;
  if (action !== 'create' || !value) return step;
  const rest = (one: unknown): unknown => (isRecord(one) ? { ...one, [kind.key]: '' } : one);
  const before = extra.find((one) => isSame(rest(kind.hide?.(value, one.value) ?? value), rest(one.value)));
  if (!before) return step;
  const old = nameOf(kind, before.value);
  const note = gone(kind)
    ? `says the same as ${old}, which is removed: another name is another thing, with a history of its own`
    : `says the same as ${old}, which stays (--prune removes it): another name is another thing`;
  return { ...step, notes: [note] };
}
