import { execFileSync } from 'node:child_process';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { problemTable } from '@sbox/core';
import { createLanguage } from '../src/language/catalogue.ts';
import { languageOf } from '../src/language/language.ts';
import { russian } from '../src/language/ru.ts';
import { causes } from '../src/language/ru-causes.ts';
import { commandSummaries, groups } from '../src/language/ru-commands.ts';
import { optionSummaries } from '../src/language/ru-options.ts';
import { presets } from '../src/language/ru-presets.ts';
import { problems } from '../src/language/ru-problems.ts';
import { resultPhrases, resultSentences } from '../src/language/ru-results.ts';
import { nouns, phrases as ofTalk, sentences } from '../src/language/ru-talk.ts';
import { usage as wrongUsage } from '../src/language/ru-usage.ts';
import { commands, groupSummaries, remoteOptions, sharedOptions } from '../src/index.ts';
import { programSummaries } from '../src/program.ts';
import { openManaged } from './managed.ts';
import { openTestHost, singBox } from './test-host.ts';

const phrases = { ...causes, ...wrongUsage, ...resultPhrases, ...ofTalk };
const inRussian = { SBOX_SING_BOX: singBox, SBOXMGR_LANG: 'ru' };

describe('the language', () => {
  test.each([
    [{}, 'en'],
    [{ SBOXMGR_LANG: 'ru' }, 'ru'],
    [{ SBOXMGR_LANG: 'ru_RU.UTF-8' }, 'ru'],
    [{ SBOXMGR_LANG: 'en', LANG: 'ru_RU.UTF-8' }, 'en'],
    [{ SBOXMGR_LANG: 'fr', LANG: 'ru_RU.UTF-8' }, 'en'],
    [{ SBOXMGR_LANG: '', LANG: 'ru_RU.UTF-8' }, 'ru'],
    [{ LANG: 'ru' }, 'ru'],
    [{ LANG: 'rw_RW' }, 'en'],
    [{ LANG: 'run' }, 'en'],
    [{ LC_MESSAGES: 'ru_RU', LANG: 'en_US.UTF-8' }, 'ru'],
    [{ LC_ALL: 'C', LC_MESSAGES: 'ru_RU', LANG: 'ru_RU' }, 'en'],
    [{ LC_ALL: 'ru_UA.UTF-8', LANG: 'de_DE' }, 'ru'],
  ])('of %j is %s', (env, name) => {
    expect(languageOf(env)).toBe(name);
  });
});

/** What Russian has for each of these, and what it has besides. */
const compared = (wanted: Iterable<string>, known: Readonly<Record<string, unknown>>) => {
  const all = new Set(wanted);
  return {
    missing: [...all].filter((one) => !Object.hasOwn(known, one)),
    superfluous: Object.keys(known).filter((one) => !all.has(one)),
  };
};
const complete = { missing: [], superfluous: [] };
const rows = [...commands.flatMap(({ options = [] }) => options), ...sharedOptions, ...remoteOptions];

describe('in Russian there is', () => {
  test('every group of commands', () => {
    const names = commands.flatMap(({ usage }) => usage.split(/ [<[]/)[0]?.split(' ').slice(0, -1) ?? []);
    expect(compared(names, { ...groupSummaries, explain: '' }).missing).toEqual([]);
    expect(compared(Object.values(groupSummaries), { ...groups, ...commandSummaries }).missing).toEqual([]);
  });

  test('every command, and nothing besides', () => {
    const summaries = commands.map(({ summary }) => summary);
    expect(compared([...summaries, ...Object.values(groupSummaries)], { ...groups, ...commandSummaries })).toEqual(
      complete,
    );
  });

  test('every option, and nothing besides', () => {
    const { program: _, ...ofProgram } = programSummaries;
    const summaries = [...rows.map(({ summary }) => summary), ...Object.values(ofProgram)];
    expect(compared(summaries, optionSummaries)).toEqual(complete);
  });

  test('every preset that is words', () => {
    const all = rows.flatMap(({ preset }) => preset ?? []);
    const { missing, superfluous } = compared(all, presets);
    expect({ missing: missing.filter((one) => one.includes(' ')), superfluous }).toEqual(complete);
  });

  test('every problem, and nothing besides', () => {
    expect(compared(Object.keys(problemTable), problems)).toEqual(complete);
  });
});

const holes = (english: string): number => english.split(/\{#?\}/).length - 1;

test('every phrase uses the values that it has, and not too many for a quick look', () => {
  for (const [english, translated] of Object.entries(phrases)) {
    const used = [...translated.matchAll(/\{(\d)(?:~|:[^|}]+\|[^|}]+\|[^|}]+)?\}/g)].map(([, index]) => Number(index));
    expect([english, Math.max(0, ...used) <= holes(english) && used.length >= Math.min(1, holes(english))]).toEqual([
      english,
      true,
    ]);
    expect([english, translated.replaceAll(/\{\d[^}]*\}/g, '').match(/[{}]/)]).toEqual([english, null]);
  }
});

test('what is translated is still said somewhere', () => {
  const root = path.join(import.meta.dirname, '../../..');
  const files = [
    ...globSync('packages/*/src/**/*.ts', { cwd: root }).filter((file) => !file.includes('/src/language/')),
    ...['command', 'help', 'suggestSimilar'].map((name) => `packages/cli/node_modules/commander/lib/${name}.js`),
  ];
  const sources = files.map((file) => readFileSync(path.join(root, file), 'utf8'));
  // The longest clause: the others may be put together from parts.
  const clauseOf = (english: string): string =>
    english
      .split(/\{#?\}|[()"'.,;:]/)
      .map((clause) => clause.trim())
      .reduce((longest, clause) => (clause.length > longest.length ? clause : longest), '');
  const said = (english: string): boolean => sources.some((source) => source.includes(clauseOf(english)));
  expect(
    [...Object.keys(phrases), ...Object.keys({ ...sentences, ...resultSentences })].filter((one) => !said(one)),
  ).toEqual([]);
});

test('counts have the form that their number asks for', () => {
  const { text } = createLanguage({ name: 'ru', texts: {}, problems: {}, phrases: { '{#} seen': '{1:a|b|c}' }, nouns });
  expect([1, 21, 2, 104, 0, 5, 11, 112].map((count) => text(`${count} nodes`))).toEqual([
    '1 узел',
    '21 узел',
    '2 узла',
    '104 узла',
    '0 узлов',
    '5 узлов',
    '11 узлов',
    '112 узлов',
  ]);
  expect([text('1 seen'), text('3 seen'), text('7 seen')]).toEqual(['1 a', '3 b', '7 c']);
});

test('a name is not taken for words of ours', () => {
  expect(russian.text('all was deleted')).toBe('all: удалено');
  expect(russian.text('done: + config why')).toBe('сделано: + config why');
  expect(russian.text('nothing like it')).toBe('nothing like it');
  expect(russian.text('3 constructors')).toBe('3 constructors');
});

test('a hostile line is looked up quickly', () => {
  const separators = Object.keys(phrases).map((english) => english.replaceAll(/\{#?\}/g, '1'));
  const startedMs = performance.now();
  for (const one of separators) russian.text(one.repeat(1000).slice(0, 999));
  expect((performance.now() - startedMs) / separators.length).toBeLessThan(50);
});

test('help is in Russian, and what is typed is not', async () => {
  using host = openTestHost();
  const program = await host.run(['--help'], { env: inRussian });
  expect(program.stdout).toMatch(/^Использование: sboxmgr \[опции\] \[команда\]\n/);
  expect(program.stdout).toContain('\nКоманды:\n');
  expect(program.stdout).toMatch(/\n {2}serve \[опции\] +Запустить менеджер\n/);
  expect(program.stdout).toMatch(/\n {2}server +Машины с агентом\n/);
  const command = await host.run(['config', 'deploy', '--help'], { env: inRussian });
  expect(command.stdout).toMatch(/^Использование: sboxmgr config deploy \[опции\] <name>\n/);
  expect(command.stdout.replaceAll(/\s+/g, ' ')).toContain(
    '--manager <url> адрес менеджера (по умолчанию: SBOXMGR_URL, иначе http://127.0.0.1:4780)',
  );
  const generate = await host.run(['generate', '--help'], { env: inRussian });
  expect(generate.stdout).toContain('\nПримеры:\n  sboxmgr generate ');
});

test('no command has English left in its help', async () => {
  using host = openTestHost();
  const leftOver: string[] = [];
  for (const { usage } of commands) {
    const words = usage.split(' ').filter((word) => !/^[<[]/.test(word));
    const { stdout } = await host.run([...words, '--help'], { env: inRussian });
    const [help = ''] = stdout.split('\nПримеры:');
    if (/(?<=\s)(?:the|and|with|what|that|this|which|default)(?=\s)/.test(help.replaceAll(/'[^']*'/g, '')))
      leftOver.push(usage);
  }
  expect(leftOver).toEqual([]);
});

test('problems are in Russian for people, and as they were for programs', async () => {
  using host = openTestHost();
  const words = ['inspect', 'nothing-there.txt'];
  const [english, told] = [await host.run(words), await host.run(words, { env: inRussian })];
  expect(told.code).toBe(english.code);
  expect(told.stderr).toMatch(/^ошибка: {2}файла нет\nпричина: .*nothing-there\.txt.*\nрешение: Проверьте путь\.\n$/);
  const asJson = [...words, '--json'];
  expect(await host.run(asJson, { env: inRussian })).toEqual(await host.run(asJson));
});

test('a manager that is away, and a word that is mistyped', async () => {
  using host = openTestHost();
  const away = await host.run(['status', '--manager', 'http://127.0.0.1:9'], { env: inRussian });
  expect(away.code).toBe(6);
  expect(away.stderr).toMatch(
    /^ошибка: {2}нет связи с менеджером http:\/\/127\.0\.0\.1:9 \(\w+\)\nпричина: \d+ попытк[аи] за .*\nрешение: sboxmgr serve {3}· {3}другой менеджер: --manager URL/,
  );
  const mistyped = await host.run(['config', 'deplyo'], { env: inRussian });
  expect(mistyped.stderr).toBe(
    "ошибка:  команда записана неверно\nпричина: неизвестная команда 'deplyo' (возможно, deploy?)\nрешение: sboxmgr config --help\n",
  );
});

test('data stays as it is; what is said about it is in Russian', async () => {
  using host = openTestHost();
  const links = path.join(host.dir, 'links.txt');
  writeFileSync(links, 'ss://YWVzLTEyOC1nY206c2VjcmV0@192.0.2.2:8388#Oslo\n');
  for (const more of [[], ['-o', 'json'], ['-o', 'yaml'], ['-o', 'name']]) {
    const [english, told] = [
      await host.run(['inspect', links, ...more]),
      await host.run(['inspect', links, ...more], { env: inRussian }),
    ];
    expect(told.stdout).toBe(english.stdout);
  }
  const written = await host.run(['generate', '-u', links, '-f', 'config.json'], { env: inRussian });
  expect([written.code, written.stderr]).toEqual([
    0,
    expect.stringMatching(
      /^прочитано из .*links\.txt: .*, 1 узел: shadowsocks 1, 50 байт за .*\n1 узел, \d+ байта? для sing-box .* · sing-box check: в порядке\n$/,
    ),
  ]);
});

test('a manager is worked with in Russian, and exit codes and data are those of English', async () => {
  await using managed = await openManaged();
  const run = async (...words: string[]) => await managed.runWith({ SBOXMGR_LANG: 'ru' }, ...words);
  writeFileSync(path.join(managed.host.dir, 'nodes.txt'), 'trojan://secret@192.0.2.1:443?sni=a.example#Oslo\n');
  expect((await run('subscription', 'list')).stderr).toBe(
    'Подписок пока нет. Добавить: sboxmgr subscription add NAME URL\n',
  );
  // A name that is a word of ours stays a name.
  expect(await run('subscription', 'add', 'all', './nodes.txt')).toMatchObject({
    code: 0,
    stdout: 'all: версия 1, 1 узел, отброшено: 0\n',
  });
  expect((await run('config', 'create', 'now', '--subscription', 'all')).stdout).toBe('now: версия 1\n');
  expect((await run('config', 'generate', 'now')).stdout).toBe(
    'ничего не изменилось, это по-прежнему версия 1: 1 узел\n',
  );
  for (const format of ['table', 'wide', 'json', 'yaml', 'name'])
    expect(await run('config', 'list', '-o', format)).toEqual(await managed.run('config', 'list', '-o', format));
  const told: readonly (readonly [readonly string[], RegExp])[] = [
    [['config', 'validate', 'now'], /проверка движком\n1 узел, всё верно\n$/],
    [
      ['explain', 'config', 'now', '--node', 'Oslo'],
      /^узел .*\nпрочитан {3}из all, строка 1, как "Oslo"\nоставлен {3}как /,
    ],
    [['explain', 'config', 'now', '--dest', 'example.com:443'], /^итог {7}идёт через прокси\n/],
    [['settings', 'set', 'log_level=info', '--server', 'nl-1'], /^server:nl-1: версия 1\n {2}now: теперь версия 2\n$/],
    [
      ['settings', 'explain', 'log_level'],
      /server:nl-1: info · не применяется: сервер не назван\n.* default: warn · действует/,
    ],
    [['settings', 'diff', '--server', 'nl-1'], /^server:nl-1: версия 0 → 1\n\+ log_level = info\n$/],
    [
      ['assignment', 'create', 'a', '--selector', '', '--config', 'now'],
      /^a: все серверы\nработает now .*пока не развёрнуто\n/,
    ],
    [['config', 'edit', 'now', '--port', '2090'], /Создать версию/],
    [['config', 'generate', 'now'], /^версия 3: /],
    [['config', 'diff', 'now', '3'], /^изменено: 1 вход, DNS без изменений\n~ inbound in: listen_port\n/],
    [['top', '--once'], / работает \S+ .*\nservers {2}пока нет: sboxmgr server token /],
  ];
  for (const [words, shown] of told) expect((await run(...words)).stdout).toMatch(shown);
  await managed.run('assignment', 'remove', 'a');
  expect(await run('config', 'deploy', 'now')).toEqual({
    code: 5,
    stdout: '',
    stderr:
      'ошибка:  разворачивать не на чем: серверов нет\nпричина: ни один сервер ещё не подключён\nрешение: Подключите сервер: sboxmgr server token\n',
  });
  expect((await run('subscription', 'remove', 'all')).stderr).toBe(
    'ошибка:  подписку использует конфигурация\nпричина: all: использует now\n  configs: now\nрешение: Сначала уберите её из конфигураций, названных в подробностях.\n',
  );
});

test('a problem code is explained in Russian', async () => {
  using host = openTestHost();
  expect((await host.run(['explain', 'file.not-found'], { env: inRussian })).stdout).toBe(
    'file.not-found: Файла нет\nрешение: Проверьте путь.\nстатус HTTP 404, код выхода 3\n',
  );
});

test('the catalogue is loaded where it is spoken only', () => {
  const hook = `import { registerHooks } from 'node:module';
registerHooks({ load(url, context, next) { if (/\\/src\\/language\\//.test(url)) console.error(url); return next(url, context); } });`;
  const loaded = (language: string): string[] =>
    execFileSync(
      process.execPath,
      [
        '--import',
        `data:text/javascript,${encodeURIComponent(`${hook}\nconsole.error = (line) => process.stdout.write(line + '\\n');`)}`,
        path.join(import.meta.dirname, '../src/main.ts'),
        '--help',
      ],
      { encoding: 'utf8', env: { PATH: process.env['PATH'], SBOXMGR_LANG: language } },
    )
      .split('\n')
      .filter((line) => line.startsWith('file:'))
      .map((url) => path.basename(url));
  expect(loaded('en').toSorted()).toEqual(['language.ts', 'open-language.ts']);
  expect(loaded('ru')).toContain('ru-problems.ts');
});

test('both READMEs lead to the same pages', () => {
  const linksOf = (name: string): string[] => {
    const page = readFileSync(path.join(import.meta.dirname, '../../..', name), 'utf8');
    const targets = [...page.matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target ?? '');
    return [...new Set(targets.filter((target) => !target.startsWith('README')))].toSorted();
  };
  expect(linksOf('README.ru.md')).toEqual(linksOf('README.md'));
});
