import { expect, test } from '@jest/globals';
import { type JestReport, type Outcome, summarize } from './test-summary.ts';

const report: JestReport = {
  numPassedTests: 10,
  numFailedTests: 0,
  numRuntimeErrorTestSuites: 0,
  testResults: [{ name: '/p/a.test.ts', assertionResults: [{ status: 'passed', fullName: 'a' }] }],
};
const ok = (name: string): Outcome => ({ name, isOk: true, seconds: 1 });
const bad = (name: string): Outcome => ({ name, isOk: false, seconds: 1 });
const lastLine = (text: string): string | undefined => text.split('\n').at(-1);

test('tests and checks are counted together, a run of tests itself is not', () => {
  const { text, failed } = summarize([ok('lint'), { ...ok('tests'), report }], []);
  expect(lastLine(text)).toBe('11 passed, 0 failed');
  expect(failed).toBe(0);
  expect(text).toContain('left out:\n  nothing');
});

test('several runs of tests are added', () => {
  const runs = [
    { ...ok('unit'), report },
    { ...bad('system'), report: { ...report, numFailedTests: 1 } },
  ];
  expect(lastLine(summarize(runs, []).text)).toBe('20 passed, 1 failed');
});

test('a failed check counts as failed', () => {
  expect(summarize([bad('lint'), { ...ok('tests'), report }], []).failed).toBe(1);
});

test('failed tests are counted once, not again as a failed run', () => {
  expect(summarize([{ ...bad('tests'), report: { ...report, numFailedTests: 2 } }], []).failed).toBe(2);
});

test('a run that failed without a failed test is a failure', () => {
  expect(lastLine(summarize([{ ...bad('tests'), report }], []).text)).toBe('10 passed, 1 failed');
});

test('a file that could not be loaded is a failure', () => {
  expect(summarize([{ ...bad('tests'), report: { ...report, numRuntimeErrorTestSuites: 1 } }], []).failed).toBe(1);
});

test('a run that left no report is a failure', () => {
  expect(lastLine(summarize([bad('tests')], []).text)).toBe('0 passed, 1 failed');
});

test('skipped tests are named', () => {
  const skipped = [{ name: '/p/a.test.ts', assertionResults: [{ status: 'pending', fullName: 'thirty kills' }] }];
  const run = { ...ok('tests'), report: { ...report, testResults: skipped } };
  expect(summarize([run], ['fresh machine: why']).text).toContain(
    'left out:\n  fresh machine: why\n  test: thirty kills',
  );
});

test('what failed is said again at the end, with the beginning of why', () => {
  const failureMessages = [`\u001B[31mError: late\u001B[39m\n${'    at a\n'.repeat(100)}`];
  const testResults = [
    { name: '/p/a.test.ts', assertionResults: [{ status: 'failed', fullName: 'a works', failureMessages }] },
    { name: '/p/b.test.ts', message: 'SyntaxError: no', assertionResults: [] },
  ];
  const { text } = summarize([{ ...bad('tests'), report: { ...report, numFailedTests: 1, testResults } }], []);
  expect(text).toContain('failed tests:\n  a works (/p/a.test.ts)\n      Error: late\n');
  expect(text).toContain('  /p/b.test.ts\n      SyntaxError: no');
  expect(text.split('\n').length).toBeLessThan(30);
});
