// What ./scripts/test prints at its end, from the outcome of each check and jest's report.

import { stripVTControlCharacters } from 'node:util';

const linesOfFailure = 12;

/** The part of jest's `--json` report that is read here. */
export interface JestReport {
  numPassedTests: number;
  numFailedTests: number;
  /** Files that could not even be loaded; none of their tests is counted above. */
  numRuntimeErrorTestSuites: number;
  testResults: {
    name: string;
    /** What jest says of the file as a whole: why it could not be loaded, or all of its failures. */
    message?: string;
    assertionResults: { status: string; fullName: string; failureMessages?: string[] }[];
  }[];
}

export interface Outcome {
  name: string;
  isOk: boolean;
  seconds: number;
  /** What jest reported, where the check is a run of tests. */
  report?: JestReport | undefined;
}

const failedTests = ({ report }: Outcome): number =>
  (report?.numFailedTests ?? 0) + (report?.numRuntimeErrorTestSuites ?? 0);

const firstLines = (text: string): string =>
  stripVTControlCharacters(text).split('\n').slice(0, linesOfFailure).join('\n      ');

/** Each failed test with the beginning of what it said: the end of a long log is what gets read, or kept. */
function failureLines(outcomes: readonly Outcome[]): string[] {
  const files = outcomes.flatMap(({ report }) => report?.testResults ?? []);
  return files.flatMap(({ name, message = '', assertionResults }) => {
    const failed = assertionResults.filter(({ status }) => status === 'failed');
    const unloaded = assertionResults.length === 0 && message !== '' ? [`  ${name}\n      ${firstLines(message)}`] : [];
    return [
      ...unloaded,
      ...failed.map(
        ({ fullName, failureMessages = [] }) =>
          `  ${fullName} (${name})\n      ${firstLines(failureMessages.join('\n'))}`,
      ),
    ];
  });
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

/**
 * The last line is `N passed, M failed`: tests and checks together. A run of tests counts itself as failed only when no
 * test of it did, so that one failing test is one failure.
 */
export function summarize(outcomes: readonly Outcome[], leftOut: readonly string[]): { text: string; failed: number } {
  const skipped = outcomes
    .flatMap(({ report }) => report?.testResults ?? [])
    .flatMap((file) => file.assertionResults)
    .filter(({ status }) => status === 'pending' || status === 'todo' || status === 'skipped')
    .map(({ fullName }) => `test: ${fullName}`);
  const isCounted = (outcome: Outcome): boolean =>
    outcome.report === undefined || (!outcome.isOk && failedTests(outcome) === 0);
  const counted = outcomes.filter(isCounted);
  const failed = sum(outcomes.map(failedTests)) + counted.filter(({ isOk }) => !isOk).length;
  const passed =
    sum(outcomes.map(({ report }) => report?.numPassedTests ?? 0)) + counted.filter(({ isOk }) => isOk).length;

  const lines = ['', 'check                   result   seconds'];
  for (const { name, isOk, seconds } of outcomes) {
    lines.push(`${name.padEnd(22)}  ${isOk ? 'ok    ' : 'FAILED'}   ${seconds.toFixed(1).padStart(7)}`);
  }
  lines.push('', 'left out:', ...[...leftOut, ...skipped].map((line) => `  ${line}`));
  if (leftOut.length + skipped.length === 0) lines.push('  nothing');
  const failures = failureLines(outcomes);
  if (failures.length > 0) lines.push('', 'failed tests:', ...failures);
  lines.push('', `${passed} passed, ${failed} failed`);
  return { text: lines.join('\n'), failed };
}
