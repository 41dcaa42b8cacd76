import { expect, test } from '@jest/globals';
import { createFakeClock } from '@sbox/core';
import { route } from '@sbox/protocol';
import * as z from 'zod/mini';
import { silentLogger } from '../log.ts';
import { createApp } from './app.ts';
import type { Caller } from './exchange.ts';
import { createGatekeeper } from './gatekeeper.ts';
import { mount } from './mount.ts';

const upload = {
  method: 'post',
  summary: 'Bytes in',
  permission: 'public',
  ok: { status: 200, schema: z.object({ size: z.int() }) },
  problems: [],
  example: {},
} as const;
const contract = {
  whole: route({ ...upload, id: 'whole', path: '/whole', rawBody: 'x/y' }),
  streamed: route({ ...upload, id: 'streamed', path: '/streamed', streamBody: 'x/y' }),
};
const caller: Caller = { kind: 'token', id: 'tok_1', name: 'tests', permissions: new Set() };

function open() {
  const app = createApp({ log: silentLogger, clock: createFakeClock(), newId: () => 'req_1' });
  const gatekeeper = createGatekeeper({ authenticate: async () => await Promise.resolve(caller) });
  const handlers = {
    whole: async ({ body }: { body: Uint8Array }) => await Promise.resolve({ size: body.length }),
    async streamed({ body }: { body: AsyncIterable<Uint8Array> }) {
      let size = 0;
      for await (const chunk of body) size += chunk.length;
      return { size };
    },
  };
  mount(app, contract, handlers, { gatekeeper, maxBodyBytes: 64, bodyTimeoutMs: 20 });
  return async (path: string, body: ReadableStream<Uint8Array>) =>
    await app.request(path, { method: 'POST', body, duplex: 'half' });
}

/** So many chunks of 50 bytes. */
const chunks = (count: number): ReadableStream<Uint8Array> => {
  let left = count;
  return new ReadableStream({ pull: (to) => ((left -= 1) < 0 ? to.close() : to.enqueue(new Uint8Array(50))) });
};

test('a body that does not come in time is 408', async () => {
  const send = open();
  expect((await send('/whole', new ReadableStream<Uint8Array>())).status).toBe(408);
  expect(await (await send('/whole', chunks(1))).json()).toEqual({ size: 50 });
});

test('one that is streamed goes to its handler as it comes, however long it is', async () => {
  const send = open();
  expect((await send('/whole', chunks(10))).status).toBe(413);
  expect(await (await send('/streamed', chunks(10))).json()).toEqual({ size: 500 });
});
