import { describe, expect, test } from '@jest/globals';
import { createFakeClock, ProblemError } from '@sbox/core';
import { createLineSink, createLogger, errorFields, logLevels, silentLogger } from './log.ts';

test.each(logLevels.map((level, index) => [level, logLevels.slice(0, index + 1)] as const))(
  'at %s only what matters as much gets through',
  (level, expected) => {
    const seen: string[] = [];
    const log = createLogger((record) => seen.push(record.level), level);
    for (const each of logLevels) log[each]('message');
    silentLogger.info('nobody hears');
    expect(seen).toEqual(expected);
  },
);

test('fields add up from parents, later ones win, and secrets are hidden', () => {
  const records: object[] = [];
  const log = createLogger((record) => records.push(record), 'info', { component: 'a', n: 1 }).child({ n: 2 });
  log.info('fetched', { url: 'https://a.test/token', password: 'p', level: 'fake', msg: 'fake', ts: 'fake' });
  expect(records).toEqual([
    { level: 'info', msg: 'fetched', component: 'a', n: 2, url: 'https://a.test/***', password: '***' },
  ]);
});

test('one record is one line, whatever is in it', () => {
  const lines: string[] = [];
  const log = createLogger(
    createLineSink((line) => lines.push(line), createFakeClock(0)),
    'info',
  );
  log.warn('a\nb', { text: 'x\n{"level":"error"}\u2028' });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^\{"ts":"1970-01-01T00:00:00\.000Z","level":"warn","msg":"a\\nb",[^\n]*\n$/);
});

describe('errors as fields', () => {
  test('a problem has its code and fix and no stack, a bug has a stack', () => {
    const problem = new ProblemError('fetch.failed', 'no', { fix: 'do', cause: new Error('inner') });
    expect(errorFields(problem)).toEqual({ code: 'fetch.failed', error: 'no', fix: 'do', cause: 'inner' });
    expect(errorFields(new TypeError('bug'))).toEqual({ error: 'bug', stack: expect.stringContaining('TypeError') });
    expect(errorFields('text')).toEqual({ error: 'text' });
  });
});
