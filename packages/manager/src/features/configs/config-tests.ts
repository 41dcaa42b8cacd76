import { ProblemError } from '@sbox/core';
import type { RuleSetContents } from '@sbox/engines/sing-box/render';
import { runConfigTests, type ConfigTestResult } from '@sbox/pipeline';
import { omit } from '../../omit.ts';
import type { MadeRendition, VersionInputs } from './rendering.ts';

/** Runs the tests of a version over one of its renditions. */
export function runTests(
  { tests = [] }: Pick<VersionInputs, 'tests'>,
  { config, rendition }: Pick<MadeRendition, 'config' | 'rendition'>,
  ruleSets: RuleSetContents,
): readonly ConfigTestResult[] {
  if (tests.length === 0) return [];
  const version = rendition.profile.split(' ')[1];
  return runConfigTests(config, tests, ruleSets, version === undefined ? {} : { version });
}

/** A result as it is shown: the rule itself may name people, its words do not. */
export const showResult = ({ route, ...result }: ConfigTestResult) => ({
  ...result,
  route: route && omit(route, 'rule'),
});

/** @throws ProblemError `config.test-failed` */
export function refuseFailed(results: readonly ConfigTestResult[]): void {
  const failed = results.filter(({ ok }) => !ok);
  const [first] = failed;
  if (!first) return;
  const others = failed.length > 1 ? ` (and ${failed.length - 1} more)` : '';
  throw new ProblemError('config.test-failed', `${first.name}: ${first.detail}${others}`, {
    details: { failed: failed.slice(0, 100).map(({ name, reasons }) => ({ name, reasons })) },
  });
}
