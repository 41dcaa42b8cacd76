import { expect, test } from '@jest/globals';
import { parseCheckOutput, parseVersion, singBox } from './commands.ts';

test('reads version and build tags', () => {
  const stdout =
    'sing-box version 1.14.4\n\nEnvironment: go1.27.3 linux/amd64\nTags: with_quic,with_clash_api\nRevision: c0\n';
  expect(parseVersion(stdout)).toEqual({ version: '1.14.4', tags: ['with_quic', 'with_clash_api'] });
});

test.each(['sing-box version unknown\n', 'sing-box version 1.12.0-beta.1\nTags: \n'])(
  'reads a build without tags',
  (stdout) => {
    expect(parseVersion(stdout)?.tags).toEqual([]);
  },
);

test.each(['', 'Xray 26.3.27 (Xray, Penetrates Everything.)', 'xsing-box version 1.14.4'])(
  'takes no other program for sing-box',
  (stdout) => expect(parseVersion(stdout)).toBeUndefined(),
);

const complaints: readonly (readonly [stderr: string, message: string, path?: string])[] = [
  [
    'FATAL[0000] decode config at e.json: unexpected end of JSON input: row 2, column 0',
    'unexpected end of JSON input: row 2, column 0',
  ],
  [
    'FATAL[0000] decode config at /a b/e.json: inbounds[0].listn: json: unknown field "listn"',
    'json: unknown field "listn"',
    'inbounds[0].listn',
  ],
  [
    '\u001B[31mFATAL\u001B[0m[0000] initialize outbound[12]: TLS required\n',
    'initialize outbound[12]: TLS required',
    'outbounds[12]',
  ],
  [
    'FATAL[0000] initialize rule-set[0]: initial rule-set: x',
    'initialize rule-set[0]: initial rule-set: x',
    'route.rule_set[0]',
  ],
  ['FATAL[0000] decode config at c.json: outbounds[0].tls.min: bad', 'bad', 'outbounds[0].tls.min'],
  ['+0000 2026-11-21 12:00:00 INFO a\n+0000 2026-11-21 12:00:00 FATAL[0000] start service: x', 'start service: x'],
  ['ERROR[0000] legacy is deprecated\nFATAL[0000] set ENABLE_DEPRECATED_X=true', 'set ENABLE_DEPRECATED_X=true'],
  ['INFO[0000] a\nERROR[0001] reload service: x\nINFO[0002] b', 'reload service: x'],
  ['panic: unknown value\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:12 +0x1d', 'panic: unknown value'],
  ['Killed', 'Killed'],
  ['', 'the engine said nothing'],
];

test.each(complaints.map(([stderr, ...found]) => [stderr, found] as const))(
  'finds the reason in %j',
  (stderr, [message, path]) => {
    expect(parseCheckOutput(stderr)).toEqual(path === undefined ? { message } : { message, path });
  },
);

test('the commands name the file, and nothing is coloured', () => {
  expect(singBox.checkCommand('/a/b.json').args).toEqual(['check', '--disable-color', '-c', '/a/b.json']);
  expect(singBox.runCommand('/a/b.json', '/d').args).toEqual(['run', '--disable-color', '-c', '/a/b.json', '-D', '/d']);
});
