import { expect, test } from '@jest/globals';
import { holdTo, isWithin, type Bounds, type Client, type Labels, type OperatorContract } from '@sbox/protocol';
import fc from 'fast-check';
import { codeOf, openManager, type TestManager } from './open-manager.ts';
import { heldTo, nodesOf } from './two-projects.ts';

const projects = ['acme', 'beta', 'default'] as const;
const places: readonly Labels[] = [
  {},
  { region: 'eu' },
  { region: 'us' },
  { region: 'eu', canary: '' },
  { region: 'us', tier: 'one' },
];
const selectors = ['region=eu', 'region!=eu', 'canary', '!canary', 'region in (eu,us),tier=one', 'tier notin (one)'];

const boundsOf: fc.Arbitrary<Bounds> = fc
  .record(
    {
      projects: fc.uniqueArray(fc.constantFrom(...projects), { minLength: 1 }),
      servers: fc.constantFrom(...selectors),
    },
    { requiredKeys: [] },
  )
  .filter((bounds) => Object.keys(bounds).length > 0);

/** A config with all that it is made of in every project, and a server in every place. */
async function fill({ client }: TestManager): Promise<void> {
  for (const project of projects) {
    const source = { type: 'inline' as const, text: nodesOf(project) };
    await client.subscriptions.add({ body: { name: `${project}-sub`, project, source } });
    const document = { outbounds: [{ type: 'direct', tag: 'direct' }, { $nodes: true }] };
    const template = { name: `${project}-tpl`, engine: 'sing-box' as const, description: '', params: {}, document };
    await client.templates.create({ body: { template, project } });
    await client.configs.create({ body: { name: `${project}-cfg`, project, subscriptions: [`${project}-sub`] } });
  }
  for (const [index, labels] of places.entries())
    await client.servers.add({ body: { name: `server-${index}`, labels: { ...labels } } });
}

const any = { 'if-match': '*' };

/** What somebody meets of each kind, by every way there is to it, and whether all ways say the same. */
async function metBy(client: Client<OperatorContract>): Promise<Record<string, unknown>> {
  const isMet = async (attempt: Promise<unknown>) => !/not-found$|^auth\./.test(await codeOf(attempt));
  const waysTo = {
    config: (id: string) => [
      client.configs.get({ params: { id } }),
      client.configs.update({ params: { id }, headers: any, body: { tests_block: true } }),
      client.configs.versions({ params: { id } }),
      client.configs.diff({ params: { id, version: '1' } }),
      client.configs.validate({ params: { id } }),
      client.configs.export({ params: { id } }),
      client.configs.generate({ params: { id }, body: {} }),
    ],
    subscription: (id: string) => [
      client.subscriptions.get({ params: { id }, query: { reveal: 'true' } }),
      client.subscriptions.update({ params: { id }, headers: any, body: { min_share: 0.5 } }),
      client.subscriptions.nodes({ params: { id } }),
      client.subscriptions.fetches({ params: { id } }),
    ],
    template: (name: string) => [
      client.templates.get({ params: { name }, query: {} }),
      client.templates.versions({ params: { name } }),
    ],
    server: (id: string) => [client.servers.get({ params: { id } })],
  };
  const every = async (kind: keyof typeof waysTo, id: string): Promise<boolean | string> => {
    const met = await Promise.all(waysTo[kind](id).map(isMet));
    return met.every((one) => one === met[0]) ? (met[0] ?? false) : `${kind} ${id}: ${met.join()}`;
  };
  const all = { query: { limit: 1000 } };
  const named = (items: readonly { readonly name: string }[]): string[] => items.map(({ name }) => name);
  const found: Record<string, unknown> = {
    configs: named((await client.configs.list(all)).items),
    subscriptions: named((await client.subscriptions.list(all)).items),
    templates: named((await client.templates.list(all)).items.filter((one) => !one.built_in)),
    servers: named((await client.servers.list(all)).items),
  };
  for (const project of projects) {
    found[`config ${project}`] = await every('config', `${project}-cfg`);
    found[`subscription ${project}`] = await every('subscription', `${project}-sub`);
    found[`template ${project}`] = await every('template', `${project}-tpl`);
  }
  for (const index of places.keys()) found[`server ${index}`] = await every('server', `server-${index}`);
  return found;
}

/** The same, by what the one function says. */
function insideOf(bounds: Bounds): Record<string, unknown> {
  const held = holdTo(bounds);
  const inside = projects.filter((project) => isWithin(held, { projects: [project] }));
  const servers = places.flatMap((labels, index) => (isWithin(held, { servers: [labels] }) ? [index] : []));
  return {
    configs: inside.map((project) => `${project}-cfg`),
    subscriptions: inside.map((project) => `${project}-sub`),
    templates: inside.map((project) => `${project}-tpl`),
    servers: servers.map((index) => `server-${index}`),
    ...Object.fromEntries(
      projects.flatMap((project) =>
        ['config', 'subscription', 'template'].map((kind) => [`${kind} ${project}`, inside.includes(project)]),
      ),
    ),
    ...Object.fromEntries(places.map((_, index) => [`server ${index}`, servers.includes(index)])),
  };
}

test('by every way, somebody with bounds meets exactly what is within them', async () => {
  await using manager = await openManager();
  await fill(manager);
  await fc.assert(
    fc.asyncProperty(boundsOf, async (bounds) => {
      const { client } = await heldTo(manager, bounds);
      expect(await metBy(client)).toEqual(insideOf(bounds));
    }),
    { numRuns: 15 },
  );
}, 120_000);

test('a deployment goes out, and is seen, exactly where its config and all of its servers are within', async () => {
  await using manager = await openManager();
  await fill(manager);
  const chosen = fc.uniqueArray(fc.constantFrom(...places.keys()), { minLength: 1, maxLength: 3 });
  const project = fc.constantFrom(...projects);
  await fc.assert(
    fc.asyncProperty(boundsOf, project, chosen, async (bounds, of, indexes) => {
      const { client } = await heldTo(manager, bounds);
      const extent = { projects: [of], servers: indexes.map((index) => places[index] ?? {}) };
      const isInside = isWithin(holdTo(bounds), extent);
      // A config of its own each time: what runs it already counts, too.
      const name = `cfg-${(made += 1)}`;
      const own = { name, project: of, subscriptions: [`${of}-sub`] };
      await manager.client.configs.create({ body: own });
      const request = { params: { id: name }, body: { servers: indexes.map((index) => `server-${index}`) } };
      expect((await codeOf(client.configs.deploy(request))) === 'none').toBe(isInside);
      const { id } = await manager.client.configs.deploy(request);
      expect((await codeOf(client.deployments.get({ params: { id } }))) === 'none').toBe(isInside);
      const { items } = await client.deployments.list({ query: { limit: 1000 } });
      expect(items.some((one) => one.id === id)).toBe(isInside);
    }),
    { numRuns: 20 },
  );
}, 120_000);

let made = 0;
