import { expect, test } from '@jest/globals';
import { exitCodeOf, problemJson, problemText } from './problem-print.ts';
import { ProblemError } from './problem.ts';
import { tableText } from './table-text.ts';

test('a problem for people says what, why and what to do', () => {
  expect(
    problemText(new ProblemError('port.in-use', '127.0.0.1:1 is held by nginx', { headline: 'port 1 is in use' })),
  ).toBe(
    'error: port 1 is in use\ncause: 127.0.0.1:1 is held by nginx\nfix:   Stop the program that holds it, or choose another port.',
  );
  expect(problemText(new ProblemError('remote.failed', 'status 500'))).toMatch(
    /^error: status 500\ncause: remote\.failed\n/,
  );
});

test('what the fix sends people to is printed above it, and nothing else', () => {
  const issues = [{ field: 'name', message: 'too long' }];
  expect(problemText(new ProblemError('request.invalid', 'body name: too long', { details: { issues } }))).toBe(
    'error: the request is not valid\ncause: body name: too long\n  name: too long\nfix:   Correct the fields named in details.',
  );
  const long = new ProblemError('engine.in-use', 'no', { details: { servers: Array.from({ length: 30 }, () => 'a') } });
  expect(problemText(long).split('\n')).toHaveLength(2 + 20 + 1 + 1);
  expect(problemText(new ProblemError('port.in-use', 'no', { details: { address: 'x' } }))).not.toContain('address');
});

test('a bug says that it is one; its stack only when it is wanted', () => {
  const bug = new TypeError('x is not a function');
  expect(problemText(bug)).toMatch(
    /^error: x is not a function\ncause: this is a bug in sbox\nfix: {3}run it again with --verbose/,
  );
  expect(problemText(bug)).not.toContain('    at ');
  expect(problemText(bug, true)).toContain('\n    at ');
});

test('neither form shows a secret', () => {
  const problem = new ProblemError('fetch.failed', 'https://user:pass@a.example/sub?token=abc did not answer');
  for (const printed of [problemText(problem), problemJson(problem)]) {
    expect(printed).toContain('a.example');
    expect(printed).not.toMatch(/pass|abc/);
  }
});

test('programs get one line and an exit code', () => {
  const problem = new ProblemError('server.not-found', 'server x', { details: { name: 'x' } });
  expect(JSON.parse(problemJson(problem))).toMatchObject({
    error: { code: 'server.not-found', details: { name: 'x' } },
  });
  expect([exitCodeOf(problem), exitCodeOf(new Error('bug'))]).toEqual([3, 1]);
  expect(JSON.parse(problemJson(new Error('bug')))).toEqual({ error: { code: 'internal.error', message: 'bug' } });
});

test('a table lines its columns up and stays on its lines', () => {
  expect(
    tableText(
      ['A', 'LONG'],
      [
        ['one\ntwo', 'x'],
        ['1', ''],
      ],
    ),
  ).toBe('A        LONG\none two  x\n1');
});

test('another language words the problem; its code and its details stay', () => {
  const language = {
    text: (words: string) => ({ 'error: ': 'E ', 'cause: ': 'C ', 'fix:   ': 'F ', odd: 'ODD' })[words] ?? words,
    problem: (code: string) => (code === 'port.in-use' ? { title: 'Порт занят', fix: 'Другой порт.' } : undefined),
  };
  const print = (error: unknown) => problemText(error, false, language);
  expect(print(new ProblemError('port.in-use', 'odd'))).toBe('E порт занят\nC ODD\nF Другой порт.');
  expect(print(new ProblemError('port.in-use', 'why', { headline: 'odd', fix: 'odd' }))).toBe('E ODD\nC why\nF ODD');
  expect(print(new ProblemError('server.held', 'why'))).toMatch(/^E this server is held\nC why\nF To take orders/);
  expect(print(new Error('odd'))).toMatch(/^E odd\nC this is a bug in sbox\nF run it again/);
});
