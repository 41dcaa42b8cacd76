import { expect, test } from '@jest/globals';
import { readTraceparent } from './trace.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const parentId = 'b7ad6b7169203331';

test.each([
  [`00-${traceId}-${parentId}-01`, true],
  [`00-${traceId}-${parentId}-00`, false],
  [`00-${traceId}-${parentId}-03`, true],
  // A later version may say more than we know.
  [`cc-${traceId}-${parentId}-01-what-comes-next`, true],
])('%s is a trace', (header, isSampled) => {
  expect(readTraceparent(header)).toEqual({ traceId, parentId, isSampled });
});

test.each([
  undefined,
  '',
  `ff-${traceId}-${parentId}-01`,
  `00-${traceId}-${parentId}-01-more`,
  `00-${traceId.toUpperCase()}-${parentId}-01`,
  `00-${'0'.repeat(32)}-${parentId}-01`,
  `00-${traceId}-${'0'.repeat(16)}-01`,
  `00-${traceId}-${parentId}`,
  `00-${traceId}-${parentId}-01, 00-${traceId}-${parentId}-01`,
  `00-${traceId}x-${parentId}-01`,
])('%s is none', (header) => {
  expect(readTraceparent(header)).toBeUndefined();
});
