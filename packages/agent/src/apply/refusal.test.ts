import { ProblemError } from '@sbox/core';
import { expect, test } from '@jest/globals';
import { judge } from './decide/failure.ts';
import { Refusal, toFailure, toRefusal } from './refusal.ts';

test.each([
  ['engine.check-failed', 'inbounds[0].listn: unknown field', 'final'],
  ['engine.check-failed', 'runtime: cannot allocate memory', 'retry'],
  ['config.invalid', 'inbounds: must be a list', 'final'],
  ['engine.crash-loop', 'it was ended by SIGSEGV', 'final'],
  ['trial.start-failed', 'dependency[nope] not found for outbound[s]', 'strike'],
  ['trial.start-failed', 'the kernel ended it, out of memory (OOM); give the server more', 'retry'],
  ['apply.failed', 'default outbound not found: nope', 'strike'],
  ['apply.failed', 'listen tcp :443: bind: address already in use', 'retry'],
  ['trial.start-failed', 'initialize rule-set[0]: initial rule-set: EOF', 'retry'],
  ['trial.start-failed', 'not ready after 5000 ms: its control API does not answer', 'retry'],
  ['trial.probe-failed', 'no answer in 3000 ms', 'retry'],
  ['unit.port-in-use', '', 'retry'],
  ['blob.fetch-failed', '', 'retry'],
  ['disk.full', '', 'retry'],
  ['manifest.stale', '', 'order'],
] as const)('%s (%s) means: %s', (code, message, verdict) => {
  expect(judge(code, message)).toBe(verdict);
});

test('errors of the disk and bugs become refusals with a code', () => {
  const full = Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
  expect(toRefusal(full, 'fetch')).toMatchObject({ code: 'disk.full', stage: 'fetch' });
  expect(toRefusal(new TypeError('x'), 'apply')).toMatchObject({ code: 'internal.error', unit: null });
  const refusal = new Refusal('trial', new ProblemError('trial.probe-failed', 'no'), { name: 'a', digest: 'd' });
  expect(toRefusal(refusal, 'apply')).toBe(refusal);
  const failure = {
    stage: 'trial',
    code: 'trial.probe-failed',
    message: 'no',
    unit: 'a',
    digest: 'd',
    isShared: false,
  };
  expect(toFailure(refusal, 'apply')).toEqual(failure);
  const shared = new ProblemError('trial.probe-failed', 'no', { details: { shared: true } });
  expect(toFailure(shared, 'trial')).toMatchObject({ isShared: true, unit: null });
});
