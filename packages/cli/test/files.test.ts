import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { openManaged, type Managed } from './managed.ts';

const link = (host: string, name: string): string =>
  `trojan://secret-of-${host}@192.0.2.1:443?sni=example.test#${name}`;

/** Writes files below a directory of the test's. */
function write(manager: Managed, dir: string, files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) {
    const full = path.join(manager.host.dir, dir, file);
    mkdirSync(path.dirname(full), { recursive: true });
    writeFileSync(full, text);
  }
}

/** Every file below a directory, with its bytes. */
function read(manager: Managed, dir: string): Record<string, string> {
  const root = path.join(manager.host.dir, dir);
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.yaml'));
  return Object.fromEntries(names.toSorted().map((name) => [name, readFileSync(path.join(root, name), 'utf8')]));
}

const template = `# mine, with words of its own
name: edge
engine: sing-box
description: One port and \${port} of it.
params:
  port: { type: port, description: Where programs connect., default: 2080 }
  key: { type: secret, description: A secret., optional: true }
document:
  inbounds: [{ type: mixed, tag: in, listen: 127.0.0.1, listen_port: '\${port}' }]
  outbounds: [{ type: urltest, tag: auto, outbounds: ['$nodes'] }, { $nodes: true }]
  route: { final: auto }
`;

const fleet = {
  'README.md': '# Our fleet\n',
  'subscriptions/main.yaml': `# the provider of the office\nsource:\n  type: inline\n  text: \${env:MAIN_LINKS}\n`,
  'subscriptions/spare.yaml':
    'name: spare\nsource: { type: url, url: "http://127.0.0.1:9/sub?token=${file:spare.token}" }\nrefresh_every: "0"\n',
  'templates/edge.yaml': template,
  'configs/edge.yaml':
    'name: edge\nsubscriptions: [main]\ntemplate: { name: edge, params: { port: 3080, key: "${env:EDGE_KEY}" } }\n',
  'configs/plain.yaml': 'subscriptions: [main, spare]\nsettings: { log_level: info }\n',
};

const secrets = { 'secrets/spare.token': 'token-of-spare\n' };
const env = { MAIN_LINKS: link('main', 'Oslo'), EDGE_KEY: 'key-of-edge' };

const openFleet = async (): Promise<Managed> => {
  const manager = await openManaged();
  write(manager, 'fleet', fleet);
  write(manager, '.', secrets);
  return manager;
};

const from = ['-f', 'fleet', '--secrets', 'secrets'] as const;

test('from files to a manager: a plan, an apply, nothing left to do; no secret is printed', async () => {
  await using manager = await openFleet();
  const run = async (...words: string[]) => await manager.runWith(env, ...words);
  const planned = await run('plan', ...from);
  expect(planned).toMatchObject({ code: 20, stderr: '' });
  expect(planned.stdout).toBe(
    [
      '+ subscription main',
      '+ subscription spare',
      '+ template edge',
      '+ config edge',
      '+ config plain',
      '5 to create, 0 to change, 0 to remove, 0 unchanged',
      '',
    ].join('\n'),
  );
  expect((await run('subscription', 'list', '-o', 'name')).stdout).toBe('');
  // Nobody can be asked, so nothing is done.
  expect(await run('apply', ...from)).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') as unknown });
  expect((await run('subscription', 'list', '-o', 'name')).stdout).toBe('');
  const before = read(manager, 'fleet');
  expect(await run('apply', ...from, '--yes')).toMatchObject({ code: 0 });
  expect(await run('plan', ...from)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('5 unchanged') as unknown,
  });
  expect(await run('apply', ...from, '--yes')).toMatchObject({ code: 0, stderr: 'nothing to do\n' });
  expect(read(manager, 'fleet')).toEqual(before);
  expect((await run('config', 'versions', 'edge', '-o', 'name')).stdout.trim()).toBe('1');

  const other = { ...env, MAIN_LINKS: link('other', 'Oslo'), EDGE_KEY: 'another-key' };
  const drifted = await manager.runWith(other, 'plan', ...from);
  expect(drifted.code).toBe(20);
  expect(drifted.stdout).toContain('~ subscription main\n    source.text: another value (secret)\n');
  expect(drifted.stdout).toContain('~ config edge\n    template.params.key: another value (secret)\n');
  const said = JSON.stringify([planned, drifted]);
  for (const secret of ['secret-of', 'token-of', 'key-of', 'another-key']) expect(said).not.toContain(secret);
});

test('the JSON of a plan, and --generate makes versions where something changed', async () => {
  await using manager = await openFleet();
  const run = async (...words: string[]) => await manager.runWith(env, ...words);
  await run('apply', ...from, '--yes', '-q');
  write(manager, 'fleet', { 'templates/edge.yaml': template.replace('One port', 'A port') });
  const planned = await run('plan', ...from, '-o', 'json');
  expect(planned.code).toBe(20);
  expect(JSON.parse(planned.stdout)).toEqual({
    format: 1,
    manager: manager.url,
    prune: false,
    create: 0,
    change: 1,
    remove: 0,
    unchanged: 4,
    steps: expect.arrayContaining([
      {
        action: 'change',
        kind: 'template',
        name: 'edge',
        file: 'templates/edge.yaml',
        changes: [{ path: 'description', before: 'One port and ${port} of it.', after: 'A port and ${port} of it.' }],
        notes: [],
      },
    ]),
    left: [],
  });
  expect((await run('plan', ...from, '-o', 'name')).stdout).toBe('template/edge\n');
  write(manager, 'fleet', { 'templates/edge.yaml': template.replace('final: auto', 'final: direct-or-not') });
  write(manager, 'fleet', {
    'templates/edge.yaml': template.replace('default: 2080', 'default: 2090').replace('tag: in', 'tag: door'),
  });
  const done = await run('apply', ...from, '--yes', '--generate', '-o', 'json');
  expect(done.code).toBe(0);
  expect(JSON.parse(done.stdout)).toMatchObject({
    change: 1,
    done: ['~ template edge', 'version of config edge', 'version of config plain'],
    not_done: [],
  });
  expect((await run('config', 'versions', 'edge', '-o', 'name')).stdout).toBe('2\n1\n');
  expect((await run('config', 'versions', 'plain', '-o', 'name')).stdout).toBe('1\n');
});

test('an export is the same bytes each time, and on another manager after an apply', async () => {
  await using manager = await openFleet();
  await manager.runWith(env, 'apply', ...from, '--yes', '-q');
  const run = async (...words: string[]) => await manager.runWith({}, ...words);
  expect(await run('export', '-d', 'one', '--reveal')).toMatchObject({ code: 0 });
  expect(await run('export', '-d', 'two', '--reveal')).toMatchObject({ code: 0 });
  expect(read(manager, 'two')).toEqual(read(manager, 'one'));
  expect(Object.keys(read(manager, 'one'))).toEqual([
    'configs/edge.yaml',
    'configs/plain.yaml',
    'subscriptions/main.yaml',
    'subscriptions/spare.yaml',
    'templates/edge.yaml',
  ]);
  expect(await run('plan', '-f', 'one', '--prune')).toMatchObject({ code: 0 });

  await using other = await openManaged();
  cpSync(path.join(manager.host.dir, 'one'), path.join(other.host.dir, 'one'), { recursive: true });
  expect(await other.run('apply', '-f', 'one', '--yes')).toMatchObject({ code: 0 });
  expect(await other.run('export', '-d', 'again', '--reveal')).toMatchObject({ code: 0 });
  expect(read(other, 'again')).toEqual(read(manager, 'one'));
  expect(JSON.stringify(read(other, 'again'))).not.toMatch(/revision|created_at|"id"/);
});

test('a template keeps its project, and its addresses where nothing in them looks secret', async () => {
  await using manager = await openManaged();
  const { 'subscriptions/main.yaml': links } = fleet;
  const tested = (tag: string, url: string): string =>
    `{ type: urltest, tag: ${tag}, outbounds: ['$nodes'], url: '${url}' }`;
  const [open, own] = ['https://tests.test/geo/204', 'https://tests.test/sub/long-secret'];
  const outbounds = `outbounds: [${tested('open', open)}, ${tested('own', own)}, `;
  write(manager, 'fleet', {
    'subscriptions/main.yaml': links,
    'templates/edge.yaml': `${template.replace('outbounds: [', outbounds)}project: shop\n`,
    'configs/edge.yaml': 'project: shop\nsubscriptions: [main]\ntemplate: { name: edge }\n',
  });
  expect(await manager.runWith(env, 'apply', '-f', 'fleet', '--yes')).toMatchObject({ code: 0 });
  expect((await manager.run('template', 'list', '--remote', '--project', 'shop', '-o', 'name')).stdout).toBe('edge\n');
  const exported = await manager.run('export', '-d', 'out');
  expect(exported.stderr).toContain('templates/edge.yaml');
  const text = read(manager, 'out')['templates/edge.yaml'] ?? '';
  expect(text).toContain('\nproject: shop\n');
  expect(text).toContain(open);
  expect(text).not.toContain('long-secret');
  // What is hidden is kept, also where something else of the template changes.
  expect(await manager.run('apply', '-f', 'out', '--yes')).toMatchObject({ code: 0, stderr: 'nothing to do\n' });
  write(manager, 'out', { 'templates/edge.yaml': text.replace('One port', 'A port') });
  expect(await manager.run('apply', '-f', 'out', '--yes')).toMatchObject({ code: 0 });
  const shown = await manager.run('template', 'show', 'edge', '--remote', '--reveal', '-o', 'yaml');
  expect(shown.stdout).toContain('A port');
  expect(shown.stdout).toContain(own);
  // Under another name nothing is there to be kept.
  const asShown = await manager.run('template', 'show', 'edge', '-o', 'json');
  const { name, engine, description, params, document } = JSON.parse(asShown.stdout) as Record<string, unknown>;
  write(manager, '.', { 'copy.json': JSON.stringify({ name, engine, description, params, document }) });
  expect(await manager.run('template', 'create', 'copy', '--file', 'copy.json')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('the document has hidden parts') as unknown,
  });
});

test('hidden values: kept where the manager has them, refused where it has none', async () => {
  await using manager = await openFleet();
  await manager.runWith(env, 'apply', ...from, '--yes', '-q');
  const exported = await manager.run('export', '-d', 'hidden');
  expect(exported.stderr).toContain('hidden values are in configs/edge.yaml, subscriptions/main.yaml');
  expect(JSON.stringify(read(manager, 'hidden'))).not.toMatch(/secret-of|token-of|key-of/);
  expect(await manager.run('plan', '-f', 'hidden', '--prune')).toMatchObject({ code: 0 });
  const spare = path.join(manager.host.dir, 'hidden/subscriptions/spare.yaml');
  writeFileSync(spare, readFileSync(spare, 'utf8').replace('type: url\n', 'type: url\n  user_agent: curl\n'));
  const edge = path.join(manager.host.dir, 'hidden/configs/edge.yaml');
  writeFileSync(edge, readFileSync(edge, 'utf8').replace('port: 3080', 'port: 3081'));
  const planned = await manager.run('plan', '-f', 'hidden');
  expect(planned.stdout).toContain('source.user_agent: + "curl"\n');
  expect(planned.stdout).toContain('template.params.port: 3080 → 3081\n');
  expect(await manager.run('apply', '-f', 'hidden', '--yes')).toMatchObject({ code: 0 });
  const shown = await manager.run('subscription', 'show', 'spare', '--reveal', '-o', 'json');
  expect(JSON.parse(shown.stdout)).toMatchObject({
    source: { url: 'http://127.0.0.1:9/sub?token=token-of-spare', user_agent: 'curl' },
  });

  await using other = await openManaged();
  cpSync(path.join(manager.host.dir, 'hidden'), path.join(other.host.dir, 'hidden'), { recursive: true });
  const refused = await other.run('apply', '-f', 'hidden', '--yes');
  expect(refused.code).toBe(7);
  expect(refused.stderr).toMatch(/^configs\/edge\.yaml:\d+:\d+: template\.params\.key: is hidden/m);
  expect(refused.stderr).toMatch(/^subscriptions\/main\.yaml:\d+:\d+: source\.text: is hidden/m);
  expect((await other.run('template', 'list', '--remote', '-o', 'name')).stdout).not.toContain('edge');
});

test('who may not see secrets plans with hidden ones, and is told where that is not enough', async () => {
  await using manager = await openFleet();
  await manager.runWith(env, 'apply', ...from, '--yes', '-q');
  await manager.run('token', 'create', 'ci', '--role', 'operator', '--file', 'ci.token');
  await manager.run('export', '-d', 'hidden');
  const asCi = { SBOXMGR_TOKEN_FILE: path.join(manager.host.dir, 'ci.token') };
  expect(await manager.runWith(asCi, 'plan', '-f', 'hidden')).toMatchObject({ code: 0 });
  const file = path.join(manager.host.dir, 'hidden/subscriptions/main.yaml');
  writeFileSync(file, `${readFileSync(file, 'utf8')}refresh_every: 2h\n`);
  expect(await manager.runWith(asCi, 'apply', '-f', 'hidden', '--yes')).toMatchObject({ code: 0 });
  expect(await manager.runWith({ ...env, ...asCi }, 'plan', ...from)).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(
      /subscriptions\/main\.yaml changes source, which has hidden values[^]*secrets:reveal/,
    ) as unknown,
  });
  const revealed = await manager.run('subscription', 'show', 'main', '--reveal', '-o', 'json');
  expect(revealed.stdout).toContain('secret-of-main');
});

test('--prune removes what has no file, in an order that works; another name is another thing', async () => {
  await using manager = await openFleet();
  const run = async (...words: string[]) => await manager.runWith(env, ...words);
  await run('apply', ...from, '--yes', '-q');
  const dir = path.join(manager.host.dir, 'fleet');
  for (const file of ['templates/edge.yaml', 'configs/edge.yaml', 'configs/plain.yaml', 'subscriptions/spare.yaml'])
    rmSync(path.join(dir, file));
  write(manager, 'fleet', { 'configs/flat.yaml': 'subscriptions: [main]\nsettings: { log_level: info }\n' });
  write(manager, 'fleet', { 'configs/plain2.yaml': fleet['configs/plain.yaml'].replace(', spare', '') });
  const kept = await run('plan', ...from);
  expect(kept.stdout).toContain('2 to create, 0 to change, 0 to remove, 1 unchanged');
  expect(kept.stdout).toContain('left as they are: subscription spare, template edge, config edge, config plain');
  const planned = await run('plan', ...from, '--prune');
  expect(planned.stdout).toMatch(/- config plain\n- config edge\n- template edge\n- subscription spare\n/);
  expect(await run('apply', ...from, '--prune', '--yes')).toMatchObject({ code: 0 });
  expect(await run('plan', ...from, '--prune')).toMatchObject({ code: 0 });
  expect((await run('config', 'list', '-o', 'name')).stdout).toBe('flat\nplain2\n');
  // A folder that is not there says nothing of its kind.
  rmSync(path.join(dir, 'templates'), { recursive: true });
  await run('apply', '-f', 'fleet', '--secrets', 'secrets', '--yes');
  write(manager, 'fleet', { 'configs/renamed.yaml': 'subscriptions: [main]\nsettings: { log_level: info }\n' });
  rmSync(path.join(dir, 'configs/flat.yaml'));
  rmSync(path.join(dir, 'configs/plain2.yaml'));
  const renamed = await run('plan', ...from, '--prune');
  expect(renamed.stdout).toMatch(/\+ config renamed\n {4}note: says the same as flat, which is removed: another name/);
});

test('somebody changes it meanwhile: it stops with what was done and what was not, and goes on from there', async () => {
  await using manager = await openFleet();
  const run = async (...words: string[]) => await manager.runWith(env, ...words);
  await run('apply', ...from, '--yes', '-q');
  write(manager, 'fleet', {
    'subscriptions/spare.yaml': fleet['subscriptions/spare.yaml'].replace('refresh_every: "0"', 'refresh_every: 5h'),
    'configs/plain.yaml': 'subscriptions: [main, spare]\nsettings: { log_level: error }\n',
  });
  const meanwhile = async (name: string, ...words: string[]) =>
    await manager.runWith(
      env,
      { ask: async () => ((await run('config', 'edit', name, ...words)).code === 0 ? 'y' : 'n') },
      'apply',
      ...from,
    );
  const stopped = await meanwhile('plain', '--watch', '20s');
  expect(stopped.code).toBe(9);
  expect(stopped.stderr).toMatch(
    /stopped at: ~ config plain: If-Match[^]*done:\n {2}~ subscription spare\nnot done:\n {2}~ config plain\n/,
  );
  // Now only the config is left, so nothing was done when it stops again.
  const again = await meanwhile('plain', '--watch', '30s');
  expect(again).toMatchObject({ code: 5, stderr: expect.stringContaining('done: nothing\n') as unknown });
  expect(await manager.runWith(env, { ask: async () => await Promise.resolve('no') }, 'apply', ...from)).toMatchObject({
    code: 1,
  });
  expect(await run('apply', ...from, '--yes')).toMatchObject({ code: 0 });
  expect(await run('plan', ...from)).toMatchObject({ code: 0 });
});

describe('bad files', () => {
  test('every place is said at once, and nothing is written', async () => {
    await using manager = await openManaged();
    write(manager, 'fleet', {
      'subscriptions/good.yaml': `source: { type: inline, text: '${link('good', 'Oslo')}' }\n`,
      'subscriptions/syntax.yaml': 'source: [\n  type: inline\n',
      'subscriptions/twice.yaml': 'refresh_every: 1h\nrefresh_every: 2h\nsource: { type: inline, text: a }\n',
      'subscriptions/unset.yaml': 'source:\n  type: inline\n  text: ${env:NOT_THERE}${file:gone}\n',
      'subscriptions/outside.yaml': 'source:\n  type: inline\n  text: ${file:../../etc/passwd}\n',
      'subscriptions/names.yaml': 'name: other\nsource: { type: inline, text: a }\n',
      'subscriptions/a b.yaml': 'source: { type: inline, text: a }\n',
      'subscriptions/short.yml': 'source: { type: inline, text: a }\n',
      'configs/fields.yaml': 'colour: red\nsettings:\n  log_level: loud\n  urltset: 1\n',
      'configs/refers.yaml': 'subscriptions:\n  - good\n  - nobody\ntemplate: { name: no-such }\n',
      'configs/list.yaml': '- a\n',
      'settings/global.yaml': 'scope: global\nvalues:\n  __proto__: 1\n',
      'assignments/x.yaml': 'selector: ""\nconfig: fields\n',
      'polices/x.yaml': 'name: x\n',
      'loose.yaml': 'name: x\n',
      'sboxmgr.yaml': '{}\n',
    });
    symlinkSync('/etc/hostname', path.join(manager.host.dir, 'fleet/configs/link.yaml'));
    symlinkSync('/etc', path.join(manager.host.dir, 'fleet/templates'));
    const refused = await manager.run('apply', '-f', 'fleet', '--yes');
    expect(refused).toMatchObject({ code: 7, stdout: '' });
    const lines = refused.stderr.split('\n');
    for (const line of [
      /^loose\.yaml:1:1: stands in no folder of a kind: subscriptions\/, /,
      /^polices:1:1: is no kind of thing: there are /,
      /^templates:1:1: is a link that leads out of the directory$/,
      /^configs\/link\.yaml:1:1: is a link that leads out of the directory$/,
      /^settings\/global\.yaml:3:3: values\.__proto__: no field may be called so$/,
      /^configs\/list\.yaml:1:1: has to hold the fields of a config$/,
      /^configs\/fields\.yaml:1:1: colour: there is no such field$/,
      /^configs\/fields\.yaml:3:14: settings\.log_level: must be one of /,
      /^configs\/fields\.yaml:4:3: settings\.urltset: there is no such field$/,
      /^configs\/refers\.yaml:3:5: subscriptions\[1\]: there is no subscription nobody/,
      /^configs\/refers\.yaml:4:19: template\.name: there is no template no-such/,
      /^subscriptions\/syntax\.yaml:\d+:\d+: /,
      /^subscriptions\/twice\.yaml:2:1: .*unique/,
      /^subscriptions\/unset\.yaml:3:9: source\.text: \$\{env:NOT_THERE\}: the variable NOT_THERE is not set$/,
      /^subscriptions\/unset\.yaml:3:9: source\.text: \$\{file:gone\}: there is no such file/,
      /^subscriptions\/outside\.yaml:3:9: source\.text: .*the path has to lead to below/,
      /^subscriptions\/names\.yaml:1:7: name: is "other", so the file has to be called other\.yaml$/,
      /^subscriptions\/a b\.yaml:\d:\d: name: must be letters/,
      /^subscriptions\/short\.yml:1:1: is not called NAME\.yaml/,
    ])
      expect(lines).toContainEqual(expect.stringMatching(line));
    expect(refused.stderr).not.toContain('subscriptions/good');
    // Its config is there, though not right yet.
    expect(refused.stderr).not.toContain('assignments/x.yaml');
    expect((await manager.run('subscription', 'list', '-o', 'name')).stdout).toBe('');
    const asJson = await manager.run('plan', '-f', 'fleet', '--json');
    const { error } = JSON.parse(asJson.stderr) as { error: { code: string; details: { places: unknown[] } } };
    expect(error.code).toBe('files.invalid');
    expect(error.details.places).toContainEqual({
      file: 'configs/fields.yaml',
      line: 4,
      column: 3,
      message: 'settings.urltset: there is no such field',
    });
    expect((await manager.run('plan', '-f', 'nowhere')).code).toBe(3);
    expect((await manager.run('plan')).code).toBe(2);
  });

  test('a name of a template that comes with sbox is not taken', async () => {
    await using manager = await openManaged();
    write(manager, 'fleet', { 'templates/mixed.yaml': template.replace('name: edge', 'name: mixed') });
    const refused = await manager.run('plan', '-f', 'fleet');
    expect(refused).toMatchObject({ code: 7 });
    expect(refused.stderr).toMatch(/^templates\/mixed\.yaml:2:7: name: mixed comes with sbox/m);
  });
});

test('an export leaves files that say the same as they are, and does not write over others', async () => {
  await using manager = await openFleet();
  const run = async (...words: string[]) => await manager.runWith(env, ...words);
  await run('apply', ...from, '--yes', '-q');
  const before = read(manager, 'fleet');
  expect(await run('export', '-d', 'fleet', '--secrets', 'secrets')).toMatchObject({
    code: 0,
    stdout: '0 files written, 5 left as they are\n',
  });
  expect(read(manager, 'fleet')).toEqual(before);
  await run('config', 'edit', 'plain', '--watch', '20s');
  const refused = await run('export', '-d', 'fleet', '--secrets', 'secrets');
  expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('configs/plain.yaml') as unknown });
  expect(read(manager, 'fleet')).toEqual(before);
  expect(await run('export', '-d', 'fleet', '--secrets', 'secrets', '--force')).toMatchObject({ code: 0 });
  const after = read(manager, 'fleet');
  expect(after['configs/plain.yaml']).toContain('watch: 20s');
  expect({ ...after, 'configs/plain.yaml': '' }).toEqual({ ...before, 'configs/plain.yaml': '' });
  expect(await run('plan', ...from)).toMatchObject({ code: 0 });
  expect(existsSync(path.join(manager.host.dir, 'fleet/README.md'))).toBe(true);
});

test('the older export is still there', async () => {
  await using manager = await openManaged();
  write(manager, '.', { 'links.txt': link('main', 'Oslo') });
  const made = await manager.run('export', '-u', 'links.txt', '-d', '1', '-o', 'config.json');
  expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining('this is now: sboxmgr generate') as unknown });
});
