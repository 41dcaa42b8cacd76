import { PassThrough } from 'node:stream';
import { expect, test } from '@jest/globals';
import { createFakeClock } from '@sbox/core';
import { createLogger } from '@sbox/daemon/log';
import { createWinstonSink } from './log-winston.ts';

test('writes one JSON object a line, behind the logger of the daemons', () => {
  const stream = new PassThrough();
  const log = createLogger(createWinstonSink(stream, createFakeClock(0)), 'info', { component: 'fetch' });
  log.info('subscription fetched', { token: 'secret', message: 'field\nof ours', level: 'high' });
  log.debug('not shown');
  log.error('it broke');
  const lines = String(stream.read()).split('\n');
  expect(lines.map((line) => (line === '' ? undefined : (JSON.parse(line) as unknown)))).toEqual([
    {
      ts: '1970-01-01T00:00:00.000Z',
      level: 'info',
      msg: 'subscription fetched',
      component: 'fetch',
      token: '***',
      message: 'field\nof ours',
    },
    { ts: '1970-01-01T00:00:00.000Z', level: 'error', msg: 'it broke', component: 'fetch' },
    undefined,
  ]);
  expect(Object.keys(JSON.parse(lines[0] ?? '') as object).slice(0, 3)).toEqual(['ts', 'level', 'msg']);
});
