import { expect, test } from '@jest/globals';
import { createMetrics } from './metrics.ts';

test('prints what was counted, set and observed, in the text format of Prometheus', async () => {
  const metrics = createMetrics({
    sbox_requests_total: { type: 'counter', help: 'Requests', labels: ['route'] },
    sbox_servers: { type: 'gauge', help: 'Servers' },
    sbox_request_seconds: { type: 'histogram', help: 'Duration' },
  });
  metrics.add('sbox_requests_total', { route: '/a' });
  metrics.add('sbox_requests_total', { route: '/a' }, 2);
  metrics.set('sbox_servers', 7);
  metrics.observe('sbox_request_seconds', 0.02);
  const lines = (await metrics.print()).split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      '# HELP sbox_requests_total Requests',
      '# TYPE sbox_requests_total counter',
      'sbox_requests_total{route="/a"} 3',
      'sbox_servers 7',
      'sbox_request_seconds_bucket{le="0.01"} 0',
      'sbox_request_seconds_bucket{le="0.05"} 1',
      'sbox_request_seconds_count 1',
    ]),
  );
  expect(lines.join('\n')).not.toContain('nodejs');
});

test('two sets of metrics do not meet', async () => {
  const table = { sbox_a: { type: 'gauge', help: 'A' } } as const;
  const [one, two] = [createMetrics(table), createMetrics(table)];
  one.set('sbox_a', 1);
  expect(await two.print()).toContain('sbox_a 0');
});
