import { expect, test } from '@jest/globals';
import { planReload } from './reload.ts';

const live = { rendition_digest: 'sha256:a', engine: '1.14.4' };

test.each([
  [undefined, live, 'restart'],
  [live, live, 'none'],
  [live, { ...live, rendition_digest: 'sha256:b' }, 'reload'],
  [live, { ...live, engine: '1.14.5' }, 'restart'],
  [live, { rendition_digest: 'sha256:b', engine: '1.14.5' }, 'restart'],
] as const)('from %j to %j: %s', (before, wanted, kind) => {
  expect(planReload(before, wanted).kind).toBe(kind);
});
