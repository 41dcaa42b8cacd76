import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { openManaged, type Managed } from './managed.ts';

/** Numbers from a seed (mulberry32): a run that fails can be had again. */
function randomOf(seed: number) {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const upTo = (most: number): number => Math.floor(next() * (most + 1));
  return {
    upTo,
    chance: (share: number): boolean => next() < share,
    one: <T>(of: readonly T[]): T => of[upTo(of.length - 1)] as T,
    some: <T>(of: readonly T[]): T[] => of.filter(() => next() < 0.5),
  };
}
type Random = ReturnType<typeof randomOf>;

/** Texts that a file could stumble over. */
const texts = [
  'plain',
  '',
  ' blanks around ',
  'two\nlines\n',
  'tab\tand "quotes" \'both\'',
  '# no comment',
  '- no list',
  'key: value',
  'yes',
  '0x10',
  '1e3',
  '2026-11-22',
  'null',
  '~',
  '&anchor *alias !tag',
  '${port} and $${more}',
  '${env:HOME} ${file:/etc/passwd} $${env:X}',
  'ünïcødé 🦊 \u2028',
  '*** not hidden ***',
  '%percent',
  '\\back\\slash',
];

const link = (random: Random): string =>
  `trojan://secret${random.upTo(3)}@192.0.2.${1 + random.upTo(9)}:443?sni=a.test#N${random.upTo(5)}`;

/** A state that somebody could want: names from a few, so that states of one run have some in common. */
function desired(random: Random): Map<string, unknown> {
  const files = new Map<string, unknown>();
  const subscriptions = random.some(['a', 'b.c', 'D-e_f']);
  for (const name of subscriptions)
    files.set(`subscriptions/${name}.yaml`, {
      ...(random.chance(0.5) ? { name } : {}),
      source: random.chance(0.7)
        ? { type: 'inline', text: `${link(random)}\n${link(random)}${random.chance(0.5) ? '\n' : ''}` }
        : {
            type: 'url',
            url: `http://127.0.0.1:9/s?token=t${random.upTo(2)}`,
            headers: { 'x-a': random.one(['1', 'two']) },
          },
      ...(random.chance(0.5)
        ? { refresh_every: random.one(['0', '1h', '90m']), min_share: random.one([0, 0.25, 1]) }
        : {}),
    });
  const templates = random.some(['t1', 't2']);
  for (const name of templates)
    files.set(`templates/${name}.yaml`, {
      engine: 'sing-box',
      description: random.one(texts),
      params: { port: { type: 'port', description: random.one(texts), default: 2080 + random.upTo(3) } },
      document: {
        inbounds: [{ type: 'mixed', tag: random.one(['in', 'door']), listen: '127.0.0.1', listen_port: '${port}' }],
        outbounds: [{ type: 'urltest', tag: 'auto', outbounds: ['$nodes'] }, { $nodes: true }],
        route: { final: 'auto' },
      },
    });
  const [first] = subscriptions;
  const configs = first === undefined ? [] : random.some(['edge', 'core', 'home']);
  for (const name of configs)
    files.set(`configs/${name}.yaml`, {
      subscriptions: [...new Set([first, ...random.some(subscriptions)])],
      ...(templates.length > 0 && random.chance(0.4)
        ? { template: { name: random.one(templates), params: { port: 3000 + random.upTo(3) } } }
        : { settings: random.chance(0.5) ? { log_level: random.one(['info', 'warn']), watch: '20s' } : {} }),
      ...(random.chance(0.4)
        ? {
            patch: [
              {
                op: 'add',
                path: '/experimental',
                value: { cache_file: { enabled: true, cache_id: random.one(texts) } },
              },
            ],
          }
        : {}),
      auto_deploy: random.chance(0.5),
    });
  const environments = random.some(['prod', 'lab']);
  for (const name of environments)
    files.set(`environments/${name}.yaml`, { description: random.one(texts.filter((text) => text.length < 100)) });
  if (random.chance(0.5))
    files.set('settings/global.yaml', { scope: 'global', values: { log_level: random.one(['info', 'error']) } });
  if (configs.length > 0 && random.chance(0.6))
    files.set('assignments/all.yaml', {
      selector: random.one(['', 'role=edge', 'region in (eu,us),!canary']),
      config: random.one(configs),
      environment: environments.length > 0 && random.chance(0.5) ? random.one(environments) : null,
    });
  if (configs.length > 0 && random.chance(0.6))
    files.set('clients/phone.yaml', { config: random.one(configs), note: random.one(texts) });
  return files;
}

const folders = ['subscriptions', 'templates', 'environments', 'settings', 'configs', 'assignments', 'clients'];

function writeState(manager: Managed, dir: string, files: ReadonlyMap<string, unknown>): void {
  const root = path.join(manager.host.dir, dir);
  rmSync(root, { recursive: true, force: true });
  for (const folder of folders) mkdirSync(path.join(root, folder), { recursive: true });
  for (const [file, value] of files) writeFileSync(path.join(root, file), stringify(escaped(value)));
}

/** In a file a reference that is meant as text has one dollar more. */
function escaped(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll(/(\$+)(\{(?:env|file):[^{}]*\})/g, '$1$$$2');
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escaped(item)]));
}

function bytesOf(manager: Managed, dir: string): string[] {
  const root = path.join(manager.host.dir, dir);
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.yaml'));
  return names.toSorted().map((name) => `${name}\n${readFileSync(path.join(root, name), 'utf8')}`);
}

const seeds = Array.from({ length: process.env['SBOX_TEST_ALL'] === '1' ? 40 : 6 }, (_, index) => 1000 + index);

test.each(seeds)(
  'seed %d: from any state to any other; then a plan has nothing to do, nor has one of an export',
  async (seed) => {
    await using manager = await openManaged();
    const random = randomOf(seed);
    for (let round = 0; round < 3; round += 1) {
      writeState(manager, 'want', desired(random));
      const applied = await manager.run('apply', '-f', 'want', '--prune', '--yes');
      expect(applied).toMatchObject({ code: 0, stderr: expect.not.stringContaining('stopped at') as unknown });
      expect(await manager.run('plan', '-f', 'want', '--prune')).toMatchObject({ code: 0 });
      for (const [dir, words] of [
        ['shown', ['--reveal']],
        ['hidden', []],
      ] as const) {
        rmSync(path.join(manager.host.dir, dir), { recursive: true, force: true });
        expect(await manager.run('export', '-d', dir, ...words)).toMatchObject({ code: 0 });
        expect(await manager.run('plan', '-f', dir, '--prune')).toMatchObject({ code: 0 });
      }
      expect(bytesOf(manager, 'hidden').join('')).not.toMatch(/secret\d|token=t\d/);
      expect(bytesOf(manager, 'shown')).toHaveLength(bytesOf(manager, 'want').length);
    }
  },
);
