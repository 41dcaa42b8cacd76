import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ProblemError } from '@sbox/core';
import { codeOf, joinAgent, openManager, type TestManager } from './open-manager.ts';

const link = (name: string, host = 1, more = '') =>
  `trojan://very-secret-password@192.0.2.${host}:443?sni=example.test${more}#${encodeURIComponent(name)}`;
const engine = { engine: { path: path.join(import.meta.dirname, '../../../.tools/bin/sing-box') } };
const params = { id: 'home' };
const anyRevision = { 'if-match': '*' };
const germany = 'nodes.all(n, n.country != "DE")';

async function openHome(...links: string[]): Promise<TestManager> {
  const manager = await openManager(engine);
  await setText(manager, links.length === 0 ? [link('NL 1', 1), link('FR 1', 2)] : links);
  await manager.client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  return manager;
}

async function setText({ client }: TestManager, links: readonly string[]): Promise<void> {
  const source = { type: 'inline' as const, text: links.join('\n') };
  const known = (await client.subscriptions.list({})).items.some(({ name }) => name === 'demo');
  if (known) await client.subscriptions.update({ params: { id: 'demo' }, headers: anyRevision, body: { source } });
  else await client.subscriptions.add({ body: { name: 'demo', source } });
}

async function problemOf(attempt: Promise<unknown>): Promise<ProblemError> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a policy that denies', () => {
  test('keeps a version from being published, and says which policy, why, and where', async () => {
    await using manager = await openHome(link('NL 1', 1), link('DE 1', 2));
    const { client } = manager;
    await client.policies.create({
      body: { name: 'no-germany', reason: 'no traffic through Germany', expression: germany },
    });
    await client.configs.update({ params, headers: anyRevision, body: { settings: { log_level: 'info' } } });
    const refused = await problemOf(client.configs.generate({ params, body: {} }));
    expect(refused.code).toBe('config.policy-violated');
    expect(refused.message).toBe('no-germany: no traffic through Germany: DE 1 of demo');
    expect(refused.fix).toContain('--draft');
    expect(refused.details).toMatchObject({
      findings: [{ policy: 'no-germany', verdict: 'deny', node: { tag: 'DE 1', subscription: 'demo' } }],
    });
    expect(await client.configs.validate({ params })).toMatchObject({
      valid: false,
      findings: [],
      policies: [{ policy: 'no-germany', node: { tag: 'DE 1' } }],
    });
    expect((await client.configs.get({ params })).version).toBe(1);

    const { version: draft } = await client.configs.generate({ params, body: { draft: true } });
    expect(draft).toMatchObject({
      version: 2,
      state: 'draft',
      findings: [{ policy: 'no-germany' }],
      published_at: null,
    });
    expect(await codeOf(client.configs.publish({ params: { ...params, version: '2' } }))).toBe(
      'config.policy-violated',
    );
    await client.configs.update({
      params,
      headers: anyRevision,
      body: { pipeline: [{ operator: 'filter', drop: { country: 'DE' } }] },
    });
    expect(await client.configs.generate({ params, body: {} })).toMatchObject({
      version: { version: 3, state: 'published', findings: [], published_by: 'admin' },
    });
    expect((await client.configs.validate({ params })).valid).toBe(true);
  });

  test('is heard for a new config, a rollback and what follows a subscription', async () => {
    await using manager = await openHome(link('DE 1'));
    const { client } = manager;
    await setText(manager, [link('NL 1')]);
    for (let turn = 0; turn < 300 && (await client.configs.get({ params })).version !== 2; turn += 1);
    await client.policies.create({ body: { name: 'no-germany', reason: 'not there', expression: germany } });
    expect(await codeOf(client.configs.rollback({ params, body: { version: 1 } }))).toBe('config.policy-violated');
    await setText(manager, [link('DE 2')]);
    let failed;
    for (let turn = 0; turn < 300 && failed === undefined; turn += 1)
      failed = (await client.events.list({})).items.find(({ type }) => type === 'config.generate-failed');
    expect(failed?.data).toMatchObject({
      code: 'config.policy-violated',
      detail: 'no-germany: not there: DE 2 of demo',
    });
    expect((await client.configs.get({ params })).version).toBe(2);
    const other = { name: 'other', subscriptions: ['demo'] };
    expect(await codeOf(client.configs.create({ body: other }))).toBe('config.policy-violated');
    expect((await client.configs.list({})).items).toHaveLength(1);
    const made = await client.configs.create({ query: { draft: 'true' }, body: other });
    expect(made.version).toBeNull();
    expect(await client.configs.version({ params: { id: 'other', version: '1' } })).toMatchObject({ state: 'draft' });
  });

  test('that cannot be evaluated denies too, with a code of its own', async () => {
    await using manager = await openHome();
    const { client } = manager;
    await client.policies.create({ body: { name: 'broken', reason: 'x', expression: 'config.nothing.here == 1' } });
    const refused = await problemOf(client.configs.rollback({ params, body: { version: 1 } }));
    expect(refused.code).toBe('config.policy-failed');
    expect(refused.message).toBe(
      'broken could not be evaluated: line 1, column 8: No such key: nothing (ask first: has(x.nothing))',
    );
    await client.policies.update({ params: { name: 'broken' }, headers: anyRevision, body: { verdict: 'warn' } });
    expect(await client.configs.rollback({ params, body: { version: 1 } })).toMatchObject({
      version: 2,
      findings: [{ policy: 'broken', verdict: 'warn', problem: { code: 'policy.failed' } }],
    });
  });

  test('of some configs leaves the others alone, and follows its config to another name', async () => {
    await using manager = await openHome(link('DE 1'));
    const { client } = manager;
    await client.configs.create({ body: { name: 'other', subscriptions: ['demo'] } });
    const bound = { name: 'no-germany', reason: 'x', expression: germany, configs: ['home'] };
    expect(await client.policies.create({ body: bound })).toMatchObject({ configs: [{ name: 'home' }], revision: 1 });
    await client.configs.update({ params, headers: anyRevision, body: { name: 'moved' } });
    expect(await codeOf(client.configs.rollback({ params: { id: 'moved' }, body: { version: 1 } }))).toBe(
      'config.policy-violated',
    );
    expect(await codeOf(client.configs.rollback({ params: { id: 'other' }, body: { version: 1 } }))).toBe('none');
    expect((await client.policies.get({ params: { name: 'no-germany' } })).configs).toMatchObject([{ name: 'moved' }]);
    const unknown = { ...bound, name: 'x', configs: ['nowhere'] };
    expect(await codeOf(client.policies.create({ body: unknown }))).toBe('config.not-found');
  });
});

describe('what is written', () => {
  test('is checked: syntax, types, names, the kind of result, patterns, and one test only', async () => {
    await using manager = await openManager();
    const { client } = manager;
    const write = async (tested: object) =>
      await problemOf(client.policies.create({ body: { name: 'p', reason: 'x', ...tested } }));
    expect(await write({ expression: 'nodes.all(n,\n  n.nam == "x")' })).toMatchObject({
      code: 'policy.invalid',
      message: 'line 2, column 5: No such key: nam',
      details: { line: 2, column: 5 },
    });
    expect((await write({ expression: 'servers.size() > 1' })).message).toContain('Unknown variable: servers');
    expect((await write({ expression: 'size(nodes)' })).message).toBe('the expression gives int, not true or false');
    expect((await write({ expression: 'nodes.all(n, n.name.matches("(?<!a)b"))' })).code).toBe('policy.invalid');
    expect((await write({ query: { name: '(' } })).code).toBe('pipeline.invalid');
    for (const strange of [
      {},
      { query: {}, expression: 'true' },
      { expression: 'true', at_most: 1 },
      { expression: '' },
    ])
      expect((await write(strange)).code).toBe('request.invalid');
    expect((await client.policies.list({})).items.every(({ built_in }) => built_in)).toBe(true);
  });

  test('an expression takes the place of a query, and the other way round', async () => {
    await using manager = await openManager();
    const { client } = manager;
    const named = { params: { name: 'few' } };
    const body = { name: 'few', reason: 'x', query: {}, at_least: 3 };
    await client.policies.create({ body });
    expect(await codeOf(client.policies.create({ body }))).toBe('policy.exists');
    const changed = await client.policies.update({
      ...named,
      headers: { 'if-match': '"1"' },
      body: { expression: 'size(nodes) >= 3', description: 'at least three' },
    });
    expect(changed).toMatchObject({ expression: 'size(nodes) >= 3', description: 'at least three', revision: 2 });
    expect(changed).not.toHaveProperty('query');
    const stale = client.policies.update({ ...named, headers: { 'if-match': '"1"' }, body: { enabled: false } });
    expect(await codeOf(stale)).toBe('precondition.failed');
    const numbers = client.policies.update({ ...named, headers: anyRevision, body: { at_most: 9 } });
    expect(await codeOf(numbers)).toBe('request.invalid');
    await client.policies.remove({ ...named, headers: anyRevision });
    expect(await codeOf(client.policies.get(named))).toBe('policy.not-found');
  });

  test('what comes with sbox is off, can be switched, bound and softened, and not rewritten', async () => {
    await using manager = await openHome(link('One', 1, '&allowInsecure=1'));
    const { client } = manager;
    const ready = (await client.policies.list({})).items;
    expect(ready.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['encrypted-dns', 'open-inbound', 'weak-cipher']),
    );
    expect(ready.every(({ enabled, built_in, revision }) => !enabled && built_in && revision === 0)).toBe(true);
    const named = { params: { name: 'unchecked-certificate' } };
    const on = await client.policies.update({ ...named, headers: { 'if-match': '"0"' }, body: { enabled: true } });
    expect(on).toMatchObject({ enabled: true, verdict: 'deny', revision: 1, built_in: true });
    expect((await problemOf(client.configs.rollback({ params, body: { version: 1 } }))).message).toBe(
      'unchecked-certificate: it does not check the certificate of its server: outbounds[2] (One)',
    );
    await client.policies.update({ ...named, headers: anyRevision, body: { verdict: 'warn' } });
    expect(await client.configs.rollback({ params, body: { version: 1 } })).toMatchObject({
      findings: [{ policy: 'unchecked-certificate', verdict: 'warn', tag: 'One' }],
    });
    for (const body of [{ reason: 'x' }, { expression: 'true' }])
      expect(await codeOf(client.policies.update({ ...named, headers: anyRevision, body }))).toBe('policy.read-only');
    expect(await codeOf(client.policies.remove({ ...named, headers: anyRevision }))).toBe('policy.read-only');
    const stolen = { name: 'open-inbound', reason: 'x', expression: 'true' };
    expect(await codeOf(client.policies.create({ body: stolen }))).toBe('policy.exists');
  });
});

describe('trying', () => {
  test('the examples of the docs, over a version and over what would be', async () => {
    await using manager = await openHome(link('NL 1', 1), link('FR 1', 2), link('DE 1', 3));
    const { client } = manager;
    const tried = async (expression: string) =>
      (await client.policies.test({ body: { config: 'home', version: 1, expression } })).ok;
    expect(await tried(germany)).toBe(false);
    expect(await tried('config.inbounds.all(i, !(i.listen in ["::", "0.0.0.0"]))')).toBe(true);
    expect(await tried('size(nodes) >= 3')).toBe(true);
    expect(await tried('!has(config.log) || !has(config.log.level) || config.log.level != "debug"')).toBe(true);
    expect(await tried('config.outbounds.all(o, !o.?tls.?insecure.orValue(false))')).toBe(true);
    // The machine's own resolver, which the config cannot encrypt.
    expect(await tried('config.?dns.?servers.orValue([]).all(s, s.type in ["tls", "https", "quic", "h3"])')).toBe(
      false,
    );
    expect(await tried('config.dns.servers.all(s, s.type in ["tls", "https", "quic", "h3", "local"])')).toBe(true);
    expect(await tried('version.config == "home" && version.subscriptions == ["demo"]')).toBe(true);
    // Nothing that is secret reaches an expression, so that none can ask for it letter by letter.
    expect(await tried('config.outbounds.all(o, !has(o.password) || o.password == "***")')).toBe(true);
    await client.configs.update({ params, headers: anyRevision, body: { settings: { log_level: 'debug' } } });
    const loud = { config: 'home', expression: 'config.log.level != "debug"' };
    expect(await client.policies.test({ body: loud })).toMatchObject({ ok: false, version: null });
    expect(await client.policies.test({ body: { ...loud, version: 1 } })).toMatchObject({ ok: true, version: 1 });
    expect(await client.policies.test({ body: { config: 'home', query: {}, at_most: 2 } })).toMatchObject({
      findings: [{ count: 3 }],
    });
    expect((await client.policies.list({})).items.every(({ built_in }) => built_in)).toBe(true);
  });

  test('only who may write policies may write or try them', async () => {
    await using manager = await openHome();
    const { client } = manager;
    const as = async (role: 'operator' | 'secadmin') => {
      const { token } = await client.tokens.create({ body: { name: role, role } });
      return manager.clientOf(token);
    };
    const [operator, secadmin] = [await as('operator'), await as('secadmin')];
    const body = { name: 'mine', reason: 'x', expression: 'true' };
    expect(await codeOf(operator.policies.create({ body }))).toBe('auth.forbidden');
    expect(await codeOf(operator.policies.test({ body: { config: 'home', expression: 'true' } }))).toBe(
      'auth.forbidden',
    );
    // Expressions see what is shown: a password cannot be found out by asking.
    const holds = async (expression: string) =>
      (await secadmin.policies.test({ body: { config: 'home', expression } })).ok;
    const outbound = 'config.outbounds.exists(o, o.type == "trojan" && ';
    expect(await holds(`${outbound} o.password == "***")`)).toBe(true);
    for (const guess of ['== "very-secret-password"', '.startsWith("very")', '.contains("secret")'])
      expect(await holds(`${outbound} o.password${guess})`)).toBe(false);
    await secadmin.policies.create({ body });
    expect((await operator.policies.get({ params: { name: 'mine' } })).enabled).toBe(true);
    await secadmin.policies.update({ params: { name: 'mine' }, headers: anyRevision, body: { enabled: false } });
    const { items } = await client.audit.list({ query: { limit: 100 } });
    const changes = items.filter(({ change }) => JSON.stringify(change).includes('policy.'));
    expect(changes.map(({ actor_name }) => actor_name)).toEqual(['secadmin', 'secadmin']);
  });
});

describe('a hostile expression', () => {
  const names = Array.from({ length: 5000 }, (_, index) =>
    link(`NL ${index}`, (index % 250) + 1).replace(':443', `:${1024 + index}`),
  );
  const hostile = 'nodes.all(a, nodes.all(b, nodes.all(c, a.name + b.name != c.name)))';

  test('ends after its time and denies, while everybody else is answered', async () => {
    await using manager = await openHome(...names);
    const { client } = manager;
    await client.policies.create({ body: { name: 'a-warning', verdict: 'warn', reason: 'x', expression: germany } });
    await client.policies.create({ body: { name: 'hostile', reason: 'x', expression: hostile } });
    await client.policies.create({
      body: { name: 'later', verdict: 'warn', reason: 'few', expression: 'size(nodes) > 9000' },
    });
    const tried = client.policies.test({ body: { config: 'home', version: 1, expression: hostile } });
    const over = tried.then(() => true);
    let [answers, slowest] = [0, 0];
    while (!(await Promise.race([over, Promise.resolve(false)]))) {
      const began = performance.now();
      await client.system.health();
      slowest = Math.max(slowest, performance.now() - began);
      answers += 1;
    }
    expect((await tried).findings).toMatchObject([{ problem: { code: 'policy.too-slow' } }]);
    expect(answers).toBeGreaterThan(20);
    expect(slowest).toBeLessThan(1500);
    const refused = await problemOf(client.configs.rollback({ params, body: { version: 1 } }));
    expect(refused).toMatchObject({ code: 'config.policy-failed' });
    expect(refused.message).toBe('hostile could not be evaluated: it took longer than 2000 ms');
    // Those behind it were evaluated in the next thread.
    await client.policies.update({ params: { name: 'hostile' }, headers: anyRevision, body: { verdict: 'warn' } });
    const { findings } = await client.configs.rollback({ params, body: { version: 1 } });
    expect(findings.map(({ policy, problem }) => [policy, problem?.code])).toEqual([
      ['hostile', 'policy.too-slow'],
      ['later', undefined],
    ]);
  }, 60_000);

  test('cannot take the memory of the manager, and patterns take no longer than their text', async () => {
    await using manager = await openHome();
    const { client } = manager;
    const tried = async (expression: string) =>
      (await client.policies.test({ body: { config: 'home', version: 1, expression } })).findings[0]?.problem?.code;
    const twice = (inner: string, depth: number): string =>
      depth === 0
        ? inner
        : `cel.bind(x${depth}, ${inner}, ${twice(Array.from({ length: 8 }, () => `x${depth}`).join(' + '), depth - 1)})`;
    expect(await tried(`size(${twice('[1, 2, 3, 4]', 10)}) == 0`)).toMatch(/^policy\.(too-slow|failed)$/);
    expect(await tried(`size(${twice('"abcdefgh"', 10)}) == 0`)).toMatch(/^policy\.(too-slow|failed)$/);
    expect(await tried(`"${'a'.repeat(2000)}!".matches("^(a+)+$")`)).toBeUndefined();
    expect(await codeOf(client.system.health())).toBe('none');
  }, 60_000);
});

test('a server that comes later gets nothing that no policy has seen', async () => {
  await using manager = await openHome();
  const { client } = manager;
  const expression = 'version.engine.startsWith("sing-box 1.14 with_quic with_utls")';
  await client.policies.create({ body: { name: 'engines', reason: 'wrong engine', expression: `!${expression}` } });
  expect((await client.configs.rollback({ params, body: { version: 1 } })).version).toBe(2);
  await joinAgent(manager, 'edge');
  const refused = await problemOf(client.configs.deploy({ params, body: {} }));
  expect(refused).toMatchObject({ code: 'config.policy-violated', fix: expect.stringContaining('no policy had seen') });
  expect((await client.deployments.list({})).items).toEqual([]);
  await client.policies.update({ params: { name: 'engines' }, headers: anyRevision, body: { enabled: false } });
  expect((await client.configs.deploy({ params, body: {} })).version).toBe(2);
});

test('a deployment is of what was published: an agent never hears of a version that was denied', async () => {
  await using manager = await openHome();
  const { client } = manager;
  const agent = await joinAgent(manager, 'edge');
  await client.configs.deploy({ params, body: {} });
  await client.policies.create({ body: { name: 'quiet', reason: 'loud', expression: 'config.log.level != "debug"' } });
  await client.configs.update({
    params,
    headers: anyRevision,
    body: { settings: { log_level: 'debug' }, auto_deploy: true },
  });
  await client.configs.generate({ params, body: { draft: true } });
  expect(await codeOf(client.configs.deploy({ params, body: { version: 2 } }))).toBe('config.version-draft');
  expect((await agent.manifest())?.manifest.units[0]?.config.version).toBe(1);
});
