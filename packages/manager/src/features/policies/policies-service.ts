import { isoTime, ProblemError, type Clock } from '@sbox/core';
import { applyPolicies } from '@sbox/pipeline';
import { compilePolicy } from '@sbox/pipeline/expressions';
import { isOneTest, oneTestMessage, type Policy } from '@sbox/protocol/pipeline';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import { omit } from '../../omit.ts';
import { find as findConfig, findVersion } from '../configs/find-config.ts';
import type { Versions } from '../configs/versions.ts';
import { checkRevision } from '../if-match.ts';
import { builtInPolicies, builtInPolicy, effectivePolicy } from './effective-policy.ts';
import type { PolicyTest, StoredPolicy } from './policies-repository.ts';
import type { PolicyJudge } from './policy-judge.ts';

export interface PoliciesDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly judge: PolicyJudge;
  readonly versions: Pick<Versions, 'inputsNow' | 'renderFor'>;
}

type Verdict = Policy['verdict'];

export interface PolicyWrite extends PolicyTest {
  readonly name: string;
  readonly description: string;
  readonly verdict: Verdict;
  readonly reason: string;
  readonly configs: readonly string[] | null;
  readonly enabled: boolean;
}
export type PolicyChange = { readonly [Part in Exclude<keyof PolicyWrite, 'name'>]?: PolicyWrite[Part] | undefined };

export interface PolicyTrial extends PolicyTest {
  readonly config: string;
  readonly version?: number | string | undefined;
  readonly verdict: Verdict;
}

export type PoliciesService = ReturnType<typeof createPoliciesService>;

/** All of them are heard for every version. */
const maxPolicies = 200;

/** Policies that come with sbox and are off until somebody wants them, and those that people make. */
export function createPoliciesService({ store, clock, judge, versions }: PoliciesDeps) {
  return {
    async list(query: PageQuery) {
      const page = readPage(query);
      const found = toPage(await store.policies.list(page), page.limit, ({ name }) => [name]);
      const own = found.items.filter(({ built_in }) => !built_in);
      // Few and always there: they come before the first page of the others.
      const ready =
        page.after === undefined ? await Promise.all(builtInPolicies.map(({ name }) => stored(store, name))) : [];
      const items = await Promise.all([...ready, ...own].map(async (policy) => await view(store, policy)));
      return { items, next_cursor: found.next_cursor };
    },
    get: async (name: string) => await view(store, await stored(store, name)),
    async create({ configs: names, ...policy }: PolicyWrite) {
      const test = testOf(policy);
      checkTest(test);
      const now = isoTime(clock.now());
      await store.transaction(async (tx) => {
        const { name, description, verdict, reason, enabled } = policy;
        if (builtInPolicy(name) ?? (await tx.policies.find(name)))
          throw new ProblemError('policy.exists', `policy ${name} exists`);
        if ((await tx.policies.count()) >= maxPolicies)
          throw new ProblemError('policy.invalid', `there are ${maxPolicies} policies already`);
        const configs = await idsOf(tx, names);
        const times = { revision: 1, created_at: now, updated_at: now };
        await tx.policies.insert({
          name,
          built_in: false,
          description,
          verdict,
          reason,
          test,
          configs,
          enabled,
          ...times,
        });
        await tx.events.add('policy.created', { name, verdict, enabled });
      });
      return await view(store, await stored(store, policy.name));
    },
    async update(name: string, ifMatch: string, change: PolicyChange) {
      await store.transaction(async (tx) => await write(tx, clock, { name, ifMatch, change }));
      return await view(store, await stored(store, name));
    },
    async remove(name: string, ifMatch: string): Promise<void> {
      await store.transaction(async (tx) => {
        const policy = await stored(tx, name);
        if (policy.built_in)
          throw new ProblemError('policy.read-only', `${name} comes with sbox: switch it off instead`);
        checkRevision(ifMatch, policy.revision);
        await tx.policies.remove(name);
        await tx.events.add('policy.deleted', { name });
      });
    },
    /** What a test finds; of a config without a version, or with none named, in what a new one would be. */
    async test({ config: id, version: wanted, verdict, ...test }: PolicyTrial) {
      checkTest(test);
      const config = await findConfig(store, id);
      const version = wanted === undefined ? undefined : await findVersion(store, config, wanted);
      const inputs = version?.inputs ?? (await versions.inputsNow(config));
      const { made, piped } = await versions.renderFor(inputs);
      const policy = { ...test, name: 'test', verdict, reason: 'it is not as the policy says' };
      const findings = await judge.try(config, { inputs, piped, made: [made] }, [policy]);
      return { ok: findings.length === 0, version: version?.version ?? null, findings };
    },
  };
}

interface PolicyEdit {
  readonly name: string;
  readonly ifMatch: string;
  readonly change: PolicyChange;
}

async function write(tx: Repositories, clock: Clock, { name, ifMatch, change }: PolicyEdit): Promise<void> {
  const old = await stored(tx, name);
  checkRevision(ifMatch, old.revision);
  const given = testOf(change);
  const hasTest = Object.keys(given).length > 0;
  if (old.built_in && (hasTest || change.reason !== undefined))
    throw new ProblemError('policy.read-only', `the test of ${name} and its reason come with sbox`);
  const test = hasTest ? mergeTest(old.test ?? {}, given) : old.test;
  if (hasTest && test) checkTest(test);
  const { description, verdict, reason, enabled } = { ...old, ...present(omit(change, 'configs')) };
  const configs = change.configs === undefined ? old.configs : await idsOf(tx, change.configs);
  const next = { ...old, description, verdict, reason, enabled, configs, test };
  const changed = (Object.keys(next) as (keyof StoredPolicy)[]).filter(
    (key) => JSON.stringify(next[key]) !== JSON.stringify(old[key]),
  );
  const now = isoTime(clock.now());
  const row = { ...next, revision: old.revision + 1, updated_at: now };
  if (old.revision === 0) await tx.policies.insert({ ...row, created_at: now });
  else await tx.policies.update(name, omit(row, 'name'));
  const said = verdict ?? effectivePolicy(next)?.verdict ?? 'deny';
  await tx.events.add('policy.changed', { name, verdict: said, enabled, changed });
}

const testFields = ['query', 'at_most', 'at_least', 'expression'] as const;

const present = <T extends object>(change: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as never;

const testOf = (given: { readonly [K in keyof PolicyTest]?: PolicyTest[K] | undefined }): PolicyTest =>
  present(Object.fromEntries(testFields.map((field) => [field, given[field]])));

/** An expression takes the place of a query with its numbers, and the other way round. */
function mergeTest(old: PolicyTest, given: PolicyTest): PolicyTest {
  if (given.expression !== undefined || given.query !== undefined) return given;
  return { ...old, ...given };
}

/** @throws ProblemError `policy.invalid`, `pipeline.invalid`, `request.invalid` */
function checkTest(test: PolicyTest): void {
  if (!isOneTest(test)) throw new ProblemError('request.invalid', oneTestMessage);
  if (test.expression === undefined) applyPolicies([], [{ name: 'x', verdict: 'deny', reason: 'x', ...test }]);
  else compilePolicy(test.expression);
}

/** A policy that is held by its config's id keeps hold of it under another name. */
async function idsOf(tx: Pick<Repositories, 'configs'>, names: readonly string[] | null): Promise<string[] | null> {
  if (names === null) return null;
  const configs = await Promise.all(names.map(async (name) => await findConfig(tx, name)));
  return [...new Set(configs.map(({ id }) => id))];
}

/** One that nobody has touched is as it comes: off, and for all configs. */
async function stored({ policies }: Pick<Repositories, 'policies'>, name: string): Promise<StoredPolicy> {
  const found = await policies.find(name);
  if (found && effectivePolicy(found)) return found;
  if (!builtInPolicy(name)) throw new ProblemError('policy.not-found', `policy ${name}`);
  const blank = { verdict: null, reason: null, test: null, configs: null };
  return {
    ...blank,
    name,
    built_in: true,
    description: '',
    enabled: false,
    revision: 0,
    created_at: '',
    updated_at: '',
  };
}

async function view(store: Pick<Repositories, 'configs'>, policy: StoredPolicy) {
  const { description, configs: ids, built_in, enabled, revision, created_at, updated_at } = policy;
  const known = await Promise.all((ids ?? []).map(async (id) => await store.configs.find(id)));
  return {
    ...(effectivePolicy(policy) as Policy),
    description,
    configs: ids === null ? null : known.flatMap((config) => (config ? [{ id: config.id, name: config.name }] : [])),
    enabled,
    built_in,
    revision,
    created_at: created_at || null,
    updated_at: updated_at || null,
  };
}
