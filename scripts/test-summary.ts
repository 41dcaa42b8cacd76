// What ./scripts/test prints at its end, from the outcome of each check and jest's report.

/** The part of jest's `--json` report that is read here. */
export interface JestReport {
  numPassedTests: number;
  numFailedTests: number;
  /** Files that could not even be loaded; none of their tests is counted above. */
  numRuntimeErrorTestSuites: number;
  testResults: { assertionResults: { status: string; fullName: string }[] }[];
}

export interface Outcome {
  name: string;
  isOk: boolean;
  seconds: number;
}

/**
 * The last line is `N passed, M failed`: tests and checks together. jest as a check counts as failed only when no test
 * of it did, so that one failing test is one failure.
 */
export function summarize(
  outcomes: readonly Outcome[],
  report: JestReport | undefined,
  leftOut: readonly string[],
): { text: string; failed: number } {
  const skipped = (report?.testResults ?? [])
    .flatMap((file) => file.assertionResults)
    .filter(({ status }) => status === 'pending' || status === 'todo' || status === 'skipped')
    .map(({ fullName }) => `test: ${fullName}`);
  const failedTests = (report?.numFailedTests ?? 0) + (report?.numRuntimeErrorTestSuites ?? 0);
  const isCounted = ({ name, isOk }: Outcome): boolean => name !== 'jest' || (!isOk && failedTests === 0);
  const counted = outcomes.filter(isCounted);
  const failed = failedTests + counted.filter(({ isOk }) => !isOk).length;
  const passed = (report?.numPassedTests ?? 0) + counted.filter(({ isOk }) => isOk).length;

  const lines = ['', 'check                   result   seconds'];
  for (const { name, isOk, seconds } of outcomes) {
    lines.push(`${name.padEnd(22)}  ${isOk ? 'ok    ' : 'FAILED'}   ${seconds.toFixed(1).padStart(7)}`);
  }
  lines.push('', 'left out:', ...[...leftOut, ...skipped].map((line) => `  ${line}`));
  if (leftOut.length + skipped.length === 0) lines.push('  nothing');
  lines.push('', `${passed} passed, ${failed} failed`);
  return { text: lines.join('\n'), failed };
}
