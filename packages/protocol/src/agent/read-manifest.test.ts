import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as z from 'zod/mini';
import { countSchema, digestSchema, idSchema, nameSchema, timeSchema } from '../schema.ts';
import { agentFeatures } from './features.ts';
import { probeSchema, trustSchema, unitFileSchema, type Manifest, type Unit } from './manifest.ts';
import { createManifestReader, readManifest } from './read-manifest.ts';
import { agentRoutes } from './agent-routes.ts';
import { agentFrameSchema, managerFrameSchema } from './socket.ts';
import { agentStatusSchema, exampleStatus } from './status.ts';

const digest = `sha256:${'0'.repeat(64)}`;
const pace = { every_ms: 10_000, timeout_ms: 3000, fail: 3, pass: 2 };

const unit: Unit = {
  name: 'main',
  kind: 'sing-box',
  engine: '>=1.12 <2.0',
  config: { digest, size: 10, config_id: 'cfg_1', version: 1 },
  engine_build: { digest, size: 100, version: '1.14.4', arch: 'x64' },
  depends_on: ['helper'],
  probes: [
    { id: 'port', type: 'tcp', address: '127.0.0.1:80', ...pace },
    { id: 'page', type: 'http', url: 'http://127.0.0.1/', expect: [200], contains: 'ok' },
    { id: 'own', type: 'exec', command: ['/bin/true'] },
    { id: 'through', type: 'proxy', urls: ['https://example.test/'], need: 1 },
    { id: 'exit', type: 'egress', url: 'https://example.test/ip', addresses: ['192.0.2.1'] },
  ],
  files: [{ path: 'rule-sets/a.srs', digest, size: 5 }],
  once: ['wg'],
  reload: 'auto',
  trial: true,
  probe: { urls: ['https://example.test/'], expect: [204], need: 1, timeout_ms: 3000 },
  watch_ms: 10_000,
};
const { depends_on: _none, ...helper } = { ...unit, name: 'helper' };

/** Everything that this version may say. */
const today: Manifest = {
  schema: 1,
  server_id: 'srv_1',
  epoch: 1,
  generation: 7,
  issued_at: '2026-01-01T00:00:00.000Z',
  not_after: null,
  min_agent: '0.1.0',
  critical: ['confirm'],
  settings: {
    heartbeat_ms: 30_000,
    poll_ms: 60_000,
    reconnect_window_ms: 5000,
    manager_urls: ['https://new.example.test'],
  },
  rollback_of: null,
  on_return: 'enforce',
  confirm_ms: 120_000,
  units: [unit, helper],
};

type Json = { [key: string]: unknown };
const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** Every object in a document, with its place as the reader prints it. */
function objectsIn(value: unknown, place = ''): { place: string; node: Json }[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => objectsIn(item, `${place}[${index}]`));
  if (typeof value !== 'object' || value === null) return [];
  const inner = Object.entries(value).flatMap(([key, each]) => objectsIn(each, place === '' ? key : `${place}.${key}`));
  return [{ place, node: value as Json }, ...inner];
}

/** As a program writes them that knows more: some of these names are words of the language. */
const newKeys = fc.oneof(
  fc.stringMatching(/^new_[a-z]{1,8}$/),
  fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty'),
);
const injections = fc.array(fc.tuple(fc.nat(), newKeys, fc.jsonValue({ maxDepth: 2 })), { minLength: 1, maxLength: 5 });

function inject(document: unknown, at: readonly (readonly [number, string, unknown])[]): string[] {
  const objects = objectsIn(document);
  const places = at.map(([number, key, value]) => {
    const { place, node } = objects[number % objects.length] as (typeof objects)[number];
    Object.defineProperty(node, key, { value, enumerable: true, configurable: true, writable: true });
    return place === '' ? key : `${place}.${key}`;
  });
  return [...new Set(places)];
}

describe('a manifest of a newer manager', () => {
  test('is read whole when all of it is known', () => {
    expect(readManifest(today)).toEqual({ ok: true, manifest: today, unsupported: [] });
  });

  test('may say more anywhere: that is left alone, and said', () => {
    fc.assert(
      fc.property(injections, (at) => {
        const newer = copy(today);
        const places = inject(newer, at);
        const reading = readManifest(copy(newer));
        expect(reading).toMatchObject({ ok: true, manifest: today });
        expect(reading.ok && [...reading.unsupported].toSorted()).toEqual(places.toSorted());
      }),
    );
  });

  test('may have units and probes of other kinds, whatever is in them, and words for what this one has others for', () => {
    const newer = copy(today) as unknown as { units: Json[]; on_return: string };
    newer.on_return = 'ask';
    newer.units[0] = { ...newer.units[0], reload: 'sideways' };
    (newer.units[0]['probes'] as unknown[]).splice(
      1,
      0,
      { id: 'icmp', type: 'icmp', size: {} },
      { id: 'x', type: 'x' },
    );
    newer.units.splice(1, 0, { name: 'other', kind: 'other-engine', plan: [1] });
    const reading = readManifest(newer);
    expect(reading).toEqual({
      ok: true,
      manifest: today,
      unsupported: [
        'units[0].probes[1].type=icmp',
        'units[0].probes[2].type=x',
        'units[1].kind=other-engine',
        'on_return=ask',
        'units[0].reload=sideways',
      ],
    });
  });

  test('does not make a unit wait for one that was left out', () => {
    const newer = copy(today) as unknown as { units: Json[] };
    newer.units[1] = { ...newer.units[1], kind: 'other-engine' };
    const reading = readManifest(newer);
    expect(reading.ok && reading.manifest.units).toEqual([{ ...unit, depends_on: [] }]);
    expect(reading.ok && reading.unsupported).toEqual(['units[1].kind=other-engine', 'depends_on of main']);
  });

  test.each([
    ['names what must be understood', { critical: ['confirm', 'time-travel'] }, 'features', /time-travel/],
    ['has nothing but what is not known', { units: [{ name: 'main', kind: 'other' }] }, 'features', /kind=other/],
    ['is of another schema', { schema: 2 }, 'form', /^schema: invalid value$/],
    ['lacks something', { units: [{ ...unit, config: undefined }] }, 'form', /^units\[0\].config: invalid type$/],
    ['has a number for a word', { on_return: 7 }, 'form', /^on_return/],
    ['is nothing', undefined, 'form', /the document/],
  ] as const)('is refused when it %s', (_, change, reason, detail) => {
    const body = change === undefined ? change : Object.assign(copy(today), change);
    expect(readManifest(body)).toMatchObject({ ok: false, reason, detail: expect.stringMatching(detail) });
  });

  test('never throws, whatever it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(), (value, number) => {
        const broken = copy(today);
        const objects = objectsIn(broken);
        const { node } = objects[number % objects.length] as (typeof objects)[number];
        const keys = Object.keys(node);
        node[keys[number % keys.length] ?? 'schema'] = value;
        const reading = readManifest(broken);
        expect(reading.ok || reading.detail.length > 0).toBe(true);
      }),
    );
  });
});

/** What an agent of two minor versions ago knows: frozen, so that what the manager says today is held against it. */
const generation = z.int().check(z.minimum(1));
const olderSchema = z.strictObject({
  schema: z.literal(1),
  server_id: idSchema,
  epoch: generation,
  generation,
  issued_at: timeSchema,
  not_after: z.nullable(timeSchema),
  min_agent: z.string(),
  critical: z.optional(z.array(z.string())),
  settings: z.strictObject({ heartbeat_ms: z.int(), poll_ms: z.int(), reconnect_window_ms: z.int() }),
  rollback_of: z.nullable(generation),
  on_return: z.enum(['enforce', 'adopt', 'hold']),
  units: z.array(
    z.strictObject({
      name: nameSchema,
      kind: z.enum(['sing-box']),
      engine: z.string(),
      config: z.strictObject({
        digest: digestSchema,
        size: countSchema,
        config_id: z.nullable(idSchema),
        version: z.nullable(countSchema),
      }),
      files: z.optional(z.array(unitFileSchema)),
      once: z.array(z.string()),
      reload: z.enum(['auto', 'in-place', 'restart']),
      trial: z.boolean(),
      probe: probeSchema,
      watch_ms: z.int(),
    }),
  ),
});

describe('an agent two minor versions older', () => {
  const readOlder = createManifestReader({
    schema: olderSchema,
    features: ['loose-manifest', 'unit-files'],
  });

  test("accepts today's manifest and says what it cannot do", () => {
    const { critical: _critical, ...order } = today;
    const reading = readOlder(order);
    expect(reading).toMatchObject({
      ok: true,
      manifest: { generation: 7, units: [{ name: 'main' }, { name: 'helper' }] },
    });
    expect(reading.ok && reading.unsupported).toEqual([
      'settings.manager_urls',
      ...['engine_build', 'depends_on', 'probes'].map((key) => `units[0].${key}`),
      ...['engine_build', 'probes'].map((key) => `units[1].${key}`),
      'confirm_ms',
    ]);
  });

  test('refuses what the manager calls critical', () => {
    expect(readOlder(today)).toMatchObject({ ok: false, reason: 'features', detail: expect.stringMatching(/confirm/) });
  });

  test('is known by the features that it tells', () => {
    expect(agentFeatures).toEqual(expect.arrayContaining(['loose-manifest', 'unit-files']));
  });
});

const time = '2026-01-01T00:00:00.000Z';
const status = { ...exampleStatus, nack: null, observed: { epoch: 1, generation: 7 } };

/** All else that crosses between a manager and an agent, either of which may be newer. */
describe('what the other side adds is no obstacle', () => {
  const documents: readonly (readonly [name: string, schema: z.ZodMiniType, document: unknown])[] = [
    ['a status', agentStatusSchema, status],
    ['an enrolment', agentRoutes.enrol.body, { ...agentRoutes.enrol.example.body, name: 'a' }],
    ['the answer to a status', agentRoutes.status.ok.schema, { ack_seq: 1, server_time: time, desired: null }],
    ['the answer to an enrolment', agentRoutes.enrol.ok.schema, { server_id: 's', name: 'n', server_time: time }],
    ['the answer to a key', agentRoutes.keys.ok.schema, { keyid: 'k', state: 'candidate' }],
    ['a hint', managerFrameSchema, { type: 'hint', timestamp: time, data: { epoch: 1, generation: 2 } }],
    [
      'a welcome',
      managerFrameSchema,
      { type: 'welcome', timestamp: time, data: { server_time: time, heartbeat_ms: 1000, desired: null } },
    ],
    ['a heartbeat', agentFrameSchema, { type: 'heartbeat', timestamp: time, data: { seq: 1 } }],
    [
      'a trust document',
      trustSchema,
      { schema: 1, version: 1, keys: [{ keyid: 'k', public_key: 'p' }], ca_sha256: null },
    ],
  ];

  test.each(documents)('in %s', (_, schema, document) => {
    const known = z.parse(schema, document);
    fc.assert(
      fc.property(injections, (at) => {
        const newer = copy(document);
        inject(newer, at);
        expect(z.parse(schema, newer)).toEqual(known);
      }),
      { numRuns: 50 },
    );
  });

  test('words of a status that are not known are read as unknown', () => {
    const newer = copy({
      ...status,
      phase: 'dreaming',
      conditions: [{ type: 'Moonlit', status: 'maybe', reason: '', message: '', since: time }],
    });
    expect(z.parse(agentStatusSchema, newer)).toMatchObject({
      phase: 'unknown',
      conditions: [{ type: 'unknown', status: 'unknown' }],
    });
  });
});
