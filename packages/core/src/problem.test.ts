import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { fromProblem, isProblemCode, messageOf, ProblemError, problemRow, toProblem } from './problem.ts';
import { problemTable, type ProblemCode } from './problem-table.ts';

const rows = Object.entries(problemTable) as [ProblemCode, (typeof problemTable)[ProblemCode]][];

test.each(rows)('%s: a noun, a reason, a status, an exit code, a title and a fix', (code, row) => {
  expect(code).toMatch(/^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$/);
  expect(row.status).toBeGreaterThanOrEqual(400);
  expect(row.status).toBeLessThan(600);
  expect([1, 2, 3, 4, 5, 6, 7, 8]).toContain(row.exit);
  expect(row.title).toMatch(/^[A-Z].*[^.]$/);
  expect(row.fix).not.toBe('');
});

test('a problem keeps everything on its way over a wire', () => {
  const error = new ProblemError('fetch.status', 'host answered 500', { details: { status: 500 }, fix: 'wait' });
  const document = toProblem(error, 'req_1');
  expect(document).toEqual({
    type: 'https://sbox.invalid/problems/fetch.status',
    title: problemRow('fetch.status').title,
    status: 502,
    code: 'fetch.status',
    detail: 'host answered 500',
    fix: 'wait',
    instance: 'req_1',
    details: { status: 500 },
  });
  const back = fromProblem(JSON.parse(JSON.stringify(document)), 'fallback');
  expect(toProblem(back, 'req_1')).toEqual(document);
});

test('a problem has the fix of its row, and its cause', () => {
  const cause = new Error('inner');
  const error = new ProblemError('fetch.failed', 'outer', { cause });
  expect([error.fix, error.cause, error.message]).toEqual([problemTable['fetch.failed'].fix, cause, 'outer']);
  expect(toProblem(error)).not.toHaveProperty('details');
});

test('any document of another side is a problem', () => {
  fc.assert(
    fc.property(fc.anything(), (document) => {
      expect(fromProblem(document, 'fallback')).toBeInstanceOf(ProblemError);
    }),
  );
  expect(fromProblem({ code: 'constructor', detail: 7 }, 'fallback')).toMatchObject({
    code: 'remote.failed',
    message: 'fallback',
  });
  expect([isProblemCode('toString'), isProblemCode('auth.missing')]).toEqual([false, true]);
});

test('anything thrown has a message', () => {
  expect([messageOf(new Error('a')), messageOf('b'), messageOf(undefined)]).toEqual(['a', 'b', 'undefined']);
});
