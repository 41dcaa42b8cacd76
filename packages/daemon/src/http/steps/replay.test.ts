import { expect, test } from '@jest/globals';
import { createExchange } from '../../../test/exchange-double.ts';
import { createReplay, type Replay, type ReplayAnswer } from './replay.ts';

function open() {
  const digests: string[] = [];
  let kept: ReplayAnswer | undefined;
  const replay: Replay = {
    async once(_caller, { digest }, run) {
      digests.push(digest);
      if (kept) return { answer: kept, isReplay: true };
      kept = await run();
      return { answer: kept, isReplay: false };
    },
  };
  let runs = 0;
  const send = async (headers: Record<string, string>, body = '{}') => {
    const exchange = createExchange({ path: '/things' });
    exchange.args = { headers };
    exchange.rawBody = Buffer.from(body);
    return await createReplay(replay)(exchange, async () => {
      runs += 1;
      return await Promise.resolve(exchange.respond('{"n":1}', 201, { etag: '"1"' }));
    });
  };
  return { send, digests, runs: () => runs };
}

test('the first answer stays as it is, the second is the same text', async () => {
  const { send, runs } = open();
  const first = await send({ 'idempotency-key': 'k' });
  expect([first.status, await first.text(), first.headers.get('etag')]).toEqual([201, '{"n":1}', '"1"']);
  expect(first.headers.get('idempotency-replayed')).toBeNull();
  const second = await send({ 'idempotency-key': 'k' });
  expect([second.status, await second.text()]).toEqual([201, '{"n":1}']);
  expect(second.headers.get('idempotency-replayed')).toBe('true');
  expect(runs()).toBe(1);
});

test('the same request is the one with the same bytes', async () => {
  const { send, digests } = open();
  for (const body of ['{}', '{}', '{ }']) await send({ 'idempotency-key': 'k' }, body);
  expect(digests[0]).toBe(digests[1]);
  expect(digests[0]).not.toBe(digests[2]);
});

test('without a key every request runs', async () => {
  const { send, runs } = open();
  await send({});
  await send({});
  expect(runs()).toBe(2);
});
