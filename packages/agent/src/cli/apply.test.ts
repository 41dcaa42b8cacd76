import { describe, expect, test } from '@jest/globals';
import { exampleStatus, type AgentStatus } from '@sbox/protocol';
import { verdictOf } from './apply.ts';

const before = { ...exampleStatus, server_id: null, manager: null };
const handed = { epoch: 1, generation: 3, source: 'bundle', digests: ['sha256:new'] };
const local = { ...handed, generation: 0, source: 'local' };
const nack: NonNullable<AgentStatus['nack']> = {
  epoch: 1,
  generation: 3,
  digest: 'sha256:new',
  stage: 'trial',
  code: 'trial.probe-failed',
  unit: 'edge',
  message: 'no request went through',
  sticky: false,
  at: '2026-01-01T00:00:00.000Z',
  retry_at: null,
};
const running = (generation: number, source: 'bundle' | 'local', digest: string) =>
  ({ running: { epoch: 1, generation, source, digest } }) as const;

describe('the verdict over what was handed in', () => {
  test.each([
    ['nothing yet', {}, undefined],
    ['another one runs', { ...running(2, 'bundle', 'sha256:old'), phase: 'committed' as const }, undefined],
    ['being tried', { ...running(2, 'bundle', 'sha256:old'), phase: 'progressing' as const }, undefined],
    ['serves', { ...running(3, 'bundle', 'sha256:new'), phase: 'serving' as const }, 'serving'],
    ['stayed healthy', { ...running(3, 'bundle', 'sha256:new'), phase: 'committed' as const }, 'committed'],
    ['refused something else', { nack: { ...nack, generation: 2 } }, undefined],
  ])('%s', (_what, change, verdict) => {
    expect(verdictOf({ ...before, ...change }, { handed, before })).toBe(verdict);
  });

  test('a refusal is the problem that it names; one from before is not ours', () => {
    const refused = { ...before, nack };
    expect(() => verdictOf(refused, { handed, before })).toThrow(
      expect.objectContaining({ code: 'trial.probe-failed' }),
    );
    expect(verdictOf(refused, { handed, before: refused })).toBeUndefined();
    const again = { ...before, nack: { ...nack, at: '2026-01-01T00:01:00.000Z' } };
    expect(() => verdictOf(again, { handed, before: refused })).toThrow('no request went through');
  });

  test('plain configs are told apart by their content', () => {
    const older = { ...before, ...running(0, 'local', 'sha256:old'), phase: 'committed' as const };
    expect(verdictOf(older, { handed: local, before })).toBeUndefined();
    const own = { ...before, ...running(0, 'local', 'sha256:new'), phase: 'committed' as const };
    expect(verdictOf(own, { handed: local, before })).toBe('committed');
  });
});
