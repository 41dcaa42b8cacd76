import { expect, test } from '@jest/globals';
import { type JestReport, summarize } from './test-summary.ts';

const report: JestReport = {
  numPassedTests: 10,
  numFailedTests: 0,
  numRuntimeErrorTestSuites: 0,
  testResults: [{ assertionResults: [{ status: 'passed', fullName: 'a' }] }],
};
const ok = (name: string): { name: string; isOk: boolean; seconds: number } => ({ name, isOk: true, seconds: 1 });
const bad = (name: string): { name: string; isOk: boolean; seconds: number } => ({ name, isOk: false, seconds: 1 });
const lastLine = (text: string): string | undefined => text.split('\n').at(-1);

test('tests and checks are counted together, jest itself is not', () => {
  const { text, failed } = summarize([ok('lint'), ok('jest')], report, []);
  expect(lastLine(text)).toBe('11 passed, 0 failed');
  expect(failed).toBe(0);
  expect(text).toContain('left out:\n  nothing');
});

test('a failed check counts as failed', () => {
  expect(summarize([bad('lint'), ok('jest')], report, []).failed).toBe(1);
});

test('failed tests are counted once, not again as a failed jest', () => {
  expect(summarize([bad('jest')], { ...report, numFailedTests: 2 }, []).failed).toBe(2);
});

test('a file that could not be loaded is a failure', () => {
  expect(summarize([bad('jest')], { ...report, numRuntimeErrorTestSuites: 1 }, []).failed).toBe(1);
});

test('a jest that left no report is a failure', () => {
  expect(lastLine(summarize([bad('jest')], undefined, []).text)).toBe('0 passed, 1 failed');
});

test('skipped tests are named', () => {
  const skipped = [{ assertionResults: [{ status: 'pending', fullName: 'thirty kills' }] }];
  expect(summarize([], { ...report, testResults: skipped }, ['fresh machine: why']).text).toContain(
    'left out:\n  fresh machine: why\n  test: thirty kills',
  );
});
