import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { openManaged, type Managed } from './managed.ts';

const link = 'trojan://secret-of-main@192.0.2.1:443?sni=example.test#Oslo';

/** One of each kind that files can say. */
const fleet: Readonly<Record<string, string>> = {
  'subscriptions/main.yaml': `source: { type: inline, text: '${link}' }\n`,
  'environments/prod.yaml':
    'description: What customers use.\ncolor: red\nfreezes:\n  - name: nights\n    days: [fri, sat]\n    from: "18:00"\n    to: "08:00"\n    time_zone: Europe/Amsterdam\n    reason: Nobody is there to look.\n',
  'settings/global.yaml': 'scope: global\nvalues: { log_level: info }\n',
  'settings/environment.prod.yaml': 'scope: environment:prod\nvalues: { log_level: error, urltest.interval: 5m }\n',
  'settings/labels.region=eu,role=edge.yaml': 'scope: labels:role=edge,region=eu\nvalues: { watch: 20s }\n',
  'configs/edge.yaml': 'subscriptions: [main]\n',
  'policies/quiet-log.yaml':
    'reason: the log tells of every connection\nexpression: \'!has(config.log) || !(config.log.level in ["debug", "trace"])\'\n',
  'policies/few.yaml': 'verdict: warn\nreason: too many\nquery: { country: [NO] }\nat_most: 5\nconfigs: [edge]\n',
  'assignments/edges.yaml': 'selector: role=edge,!canary\nenvironment: prod\nconfig: edge\n',
  'clients/phone.yaml': 'config: edge\ntitle: Phone\nhwid: { mode: optional }\n',
  'client-rules/shared.yaml':
    'rules:\n  - name: browsers\n    conditions: [{ header: accept, operator: contains, value: text/html }]\n    answer: html\n',
};

function write(manager: Managed, dir: string, files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) {
    const full = path.join(manager.host.dir, dir, file);
    mkdirSync(path.dirname(full), { recursive: true });
    writeFileSync(full, text);
  }
}

function read(manager: Managed, dir: string): Record<string, string> {
  const root = path.join(manager.host.dir, dir);
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.yaml'));
  return Object.fromEntries(names.toSorted().map((name) => [name, readFileSync(path.join(root, name), 'utf8')]));
}

test('values of a server stand under its name: an id in a file is refused with it', async () => {
  await using manager = await openManaged();
  expect((await manager.run('server', 'add', 'nl-1')).code).toBe(0);
  const { id } = JSON.parse((await manager.run('server', 'show', 'nl-1', '-o', 'json')).stdout) as { id: string };
  write(manager, 'fleet', { [`settings/server.${id}.yaml`]: `scope: server:${id}\nvalues: { log_level: info }\n` });
  expect(await manager.run('apply', '-f', 'fleet', '--yes')).toMatchObject({
    code: 7,
    stderr: expect.stringContaining('scope: is an id: write server:nl-1\n') as unknown,
  });
});

test('every kind: applied, nothing left to do, exported, and the same on another manager', async () => {
  await using manager = await openManaged();
  write(manager, 'fleet', fleet);
  const applied = await manager.run('apply', '-f', 'fleet', '--yes', '--prune');
  expect(applied).toMatchObject({ code: 0, stdout: expect.stringContaining('11 to create') as unknown });
  expect(await manager.run('plan', '-f', 'fleet', '--prune')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('11 unchanged') as unknown,
  });
  expect(await manager.run('export', '-d', 'out', '--reveal')).toMatchObject({ code: 0 });
  const exported = read(manager, 'out');
  expect(Object.keys(exported)).toEqual(Object.keys(fleet).toSorted());
  expect(JSON.stringify(exported)).not.toMatch(/revision|created_at|"id"|link/);
  expect(await manager.run('plan', '-f', 'out', '--prune')).toMatchObject({ code: 0 });

  await using other = await openManaged();
  cpSync(path.join(manager.host.dir, 'out'), path.join(other.host.dir, 'out'), { recursive: true });
  expect(await other.run('apply', '-f', 'out', '--yes', '--prune')).toMatchObject({ code: 0 });
  expect(await other.run('export', '-d', 'again', '--reveal')).toMatchObject({ code: 0 });
  expect(read(other, 'again')).toEqual(exported);
});

test('every kind: changed field by field, and removed in an order that works', async () => {
  await using manager = await openManaged();
  write(manager, 'fleet', fleet);
  const run = async (...words: string[]) => await manager.run(...words, '-f', 'fleet');
  expect(await run('apply', '--yes')).toMatchObject({ code: 0 });
  const change = (file: string, from: string, to: string): void =>
    write(manager, 'fleet', { [file]: (fleet[file] ?? '').replace(from, to) });
  change('environments/prod.yaml', 'color: red', 'color: yellow');
  change('settings/global.yaml', 'info', 'warn');
  change('policies/few.yaml', 'at_most: 5', 'at_most: 6');
  change('assignments/edges.yaml', ',!canary', '');
  change('clients/phone.yaml', 'title: Phone', 'title: Phone of Anna');
  change('client-rules/shared.yaml', 'answer: html', 'answer: links');
  const planned = await run('plan');
  expect(planned.stdout.split('\n').filter((line) => line.startsWith('    '))).toEqual([
    '    color: "red" → "yellow"',
    '    values.log_level: "info" → "warn"',
    '    at_most: 5 → 6',
    '    selector: "role=edge,!canary" → "role=edge"',
    '    rules[0].answer: "html" → "links"',
    '    title: "Phone" → "Phone of Anna"',
  ]);
  expect(await run('apply', '--yes')).toMatchObject({ code: 0 });
  expect(await run('plan')).toMatchObject({ code: 0 });

  change('assignments/edges.yaml', 'config: edge', 'config: edge\nunit: other');
  const fixed = await run('plan');
  expect(fixed).toMatchObject({ code: 7 });
  expect(fixed.stderr).toContain('assignments/edges.yaml:4:7: unit: stays "main" as it was made');

  for (const folder of new Set(Object.keys(fleet).map((file) => path.dirname(file)))) {
    rmSync(path.join(manager.host.dir, 'fleet', folder), { recursive: true });
    mkdirSync(path.join(manager.host.dir, 'fleet', folder));
  }
  const pruned = await run('apply', '--prune', '--yes');
  expect(pruned).toMatchObject({ code: 0 });
  expect(pruned.stdout).toContain('0 to create, 0 to change, 11 to remove, 0 unchanged');
  expect(await run('plan', '--prune')).toMatchObject({
    code: 0,
    stdout: '0 to create, 0 to change, 0 to remove, 0 unchanged\n',
  });
});

test('values that the manager would refuse are found by the plan, with their places', async () => {
  await using manager = await openManaged();
  const template =
    'engine: sing-box\ndescription: x\nparams: { door: { type: port, description: x, default: 1 } }\ndocument: { outbounds: [{ type: direct, tag: d }] }\n';
  const values =
    'scope: global\nvalues:\n  log_level: loud\n  log_levle: info\n  params.door: 70000\n  params.port: x\n  params.nowhere: 1\n  watch: 10s\n';
  write(manager, 'fleet', { 'templates/own.yaml': template, 'settings/global.yaml': values });
  const planned = await manager.run('plan', '-f', 'fleet');
  expect(planned.code).toBe((await manager.run('apply', '-f', 'fleet', '--yes')).code);
  expect(planned.stderr.split('\n').filter((line) => line.startsWith('settings/'))).toEqual([
    expect.stringMatching(/^settings\/global\.yaml:3:\d+: values\.log_level: /),
    'settings/global.yaml:4:14: values.log_levle: there is no such setting',
    expect.stringMatching(/^settings\/global\.yaml:5:\d+: values\.params\.door: own: door: must be 1 to 65535$/),
    expect.stringMatching(/^settings\/global\.yaml:6:\d+: values\.params\.port: /),
    'settings/global.yaml:7:19: values.params.nowhere: no template has such a parameter',
  ]);
  write(manager, 'fleet', { 'settings/global.yaml': 'scope: global\nvalues: { watch: 10s, params.door: 70 }\n' });
  expect((await manager.run('apply', '-f', 'fleet', '--yes')).code).toBe(0);
  // What nothing reads any more is hidden, and no fault of somebody who changes something else.
  expect((await manager.run('template', 'remove', 'own')).code).toBe(0);
  const rest = 'scope: global\nvalues: { watch: 20s, params.door: "***" }\n';
  write(manager, 'rest', { 'settings/global.yaml': rest });
  expect(await manager.run('apply', '-f', 'rest', '--yes')).toMatchObject({ code: 0 });
  write(manager, 'rest', { 'settings/global.yaml': rest.replace('"***"', '71') });
  expect((await manager.run('plan', '-f', 'rest')).stderr).toContain('no template has such a parameter');
});

test('a policy that comes with sbox: switched on by a file, and exported once it was', async () => {
  await using manager = await openManaged();
  const { stdout } = await manager.run('api', 'GET', '/api/v1/policies?limit=1000');
  const { items } = JSON.parse(stdout) as { items: Record<string, unknown>[] };
  const ready = items.find(({ built_in }) => built_in === true);
  const { name, reason, expression, query, enabled, description, verdict } = ready ?? {};
  const said = JSON.stringify({ name, description, verdict, reason, expression, query, enabled: enabled !== true });
  write(manager, 'fleet', { [`policies/${String(name)}.yaml`]: said });
  expect(await manager.run('apply', '-f', 'fleet', '--yes', '--prune')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`~ policy ${String(name)}\n    enabled: `) as unknown,
  });
  expect(await manager.run('plan', '-f', 'fleet', '--prune')).toMatchObject({ code: 0 });
  expect((await manager.run('export', '-d', 'out')).stdout).toBe(
    `wrote policies/${String(name)}.yaml\n1 file written, 0 left as they are\n`,
  );
});
