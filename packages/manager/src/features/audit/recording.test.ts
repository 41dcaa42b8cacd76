import { describe, expect, test } from '@jest/globals';
import { createFakeClock, createNewId, ProblemError } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { silentLogger } from '@sbox/daemon/log';
import { anonymous, type Caller, type Exchange } from '@sbox/daemon/serve';
import { route } from '@sbox/protocol';
import * as z from 'zod/mini';
import { createBackground } from '../../background.ts';
import { openDatabase } from '../../database/open-database.ts';
import { createStore } from '../../database/store.ts';
import { createActing, type Actor } from './acting.ts';
import { createRefusals } from './audit-refusals.ts';
import { createAuditStep } from './audit-step.ts';

const caller: Caller = { kind: 'session', id: 'ses_1', name: 'ann', permissions: new Set(), user_id: 'usr_1' };
const actor: Actor = {
  caller,
  remoteAddress: '192.0.2.1',
  requestId: 'req_1',
  routeId: 'write',
  object: { id: 'x'.repeat(500) },
};

async function openStore() {
  const { db, ...database } = await openDatabase(':memory:');
  const clock = createFakeClock();
  const acting = createActing();
  const published: string[] = [];
  const store = createStore({
    db,
    clock,
    acting,
    newId: createNewId(randomBytes),
    published: (events) => void published.push(...events.map(({ type }) => type)),
  });
  const entries = async () => await store.audit.following(0, 100);
  const change = async (name: string): Promise<void> =>
    await store.transaction(async (tx) => void (await tx.events.add('template.created', { name })));
  return { acting, change, clock, entries, published, store, [Symbol.asyncDispose]: database[Symbol.asyncDispose] };
}

describe('a transaction', () => {
  test('of an actor leaves one entry a request, with its events, and none when it leaves no event', async () => {
    await using opened = await openStore();
    const { acting, change, entries, store } = opened;
    await acting.run(actor, async () => {
      await store.transaction(async (tx) => await tx.meta.set('a', '1'));
      expect(await entries()).toEqual([]);
      await change('one');
      await change('two');
    });
    expect(await entries()).toMatchObject([
      {
        actor_type: 'session',
        actor_id: 'usr_1',
        actor_name: 'ann',
        token_id: 'ses_1',
        object: { id: 'x'.repeat(128) },
        change: [{ type: 'template.created', data: { name: 'one' } }],
      },
    ]);
  });

  test('that only fetches what a change needs is not the change', async () => {
    await using opened = await openStore();
    const { acting, change, entries, store } = opened;
    const fetched = async (): Promise<unknown> =>
      await store.events.add('rule-set.changed', { url: 'https://example.com/ads', digest: 'd' });
    await acting.run(actor, async () => {
      await fetched();
      await change('one');
    });
    await acting.run({ ...actor, routeId: 'refreshRuleSets' }, fetched);
    const told = (await entries()).map(({ action, change: [event] }) => [action, event?.type]);
    expect(told).toEqual([
      ['write', 'template.created'],
      ['refreshRuleSets', 'rule-set.changed'],
    ]);
  });

  test('that fails leaves nothing, and the next one of the request is recorded', async () => {
    await using opened = await openStore();
    const { acting, change, entries, published, store } = opened;
    await acting.run(actor, async () => {
      const failing = store.transaction(async (tx) => {
        await tx.events.add('template.created', { name: 'never' });
        throw new Error('full');
      });
      await expect(failing).rejects.toThrow('full');
      expect(acting.current()?.recorded).toBeUndefined();
      await change('one');
    });
    expect(published).toEqual(['template.created']);
    expect((await entries()).map(({ change: [event] }) => event?.data)).toEqual([{ name: 'one' }]);
  });

  test('of several at once numbers entries without a gap', async () => {
    await using opened = await openStore();
    const { acting, change, entries } = opened;
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        await acting.run({ ...actor, requestId: `req_${index}` }, async () => await change(`t${index}`));
      }),
    );
    const all = await entries();
    expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(new Set(all.map(({ request_id }) => request_id)).size).toBe(20);
  });

  test('of nobody is recorded only where the manager decides what servers run', async () => {
    await using opened = await openStore();
    const { acting, change, entries, store } = opened;
    await change('one');
    await using background = createBackground(silentLogger, opened.clock, acting.alone);
    await acting.run(actor, async () => {
      background.run('follow', async () => {
        await store.events.add('config.version-created', { config_id: 'cfg_1', version: 2, digest: 'd' });
      });
      await Promise.resolve();
    });
    await background[Symbol.asyncDispose]();
    expect(await entries()).toMatchObject([{ actor_type: 'system', action: 'system', request_id: '' }]);
  });

  test('that makes a key of a server the right one is recorded under the server, whatever it came with', async () => {
    await using opened = await openStore();
    await opened.store.events.add('server.key-rotated', { server_id: 'srv_1', keyid: 'k' });
    await opened.store.events.add('server.online', { server_id: 'srv_1' });
    expect(await opened.entries()).toMatchObject([{ actor_type: 'server', actor_id: 'srv_1', action: 'system' }]);
  });

  test('with very many events names the first hundred and counts the rest', async () => {
    await using opened = await openStore();
    const { acting, entries, store } = opened;
    await acting.run(actor, async () => {
      await store.transaction(async (tx) => {
        for (let index = 0; index < 120; index += 1) await tx.events.add('template.deleted', { name: `t${index}` });
      });
    });
    const [entry] = await entries();
    expect(entry?.change).toHaveLength(101);
    expect(entry?.change.at(-1)).toEqual({ type: 'more', data: { events: 20 } });
  });
});

describe('the step', () => {
  const ok = { status: 200, schema: z.object({}) } as const;
  const write = route({
    id: 'write',
    method: 'post',
    path: '/x',
    summary: 's',
    permission: 'configs:write',
    ok,
    problems: [],
    example: {},
  });
  const exchangeOf = (more: Partial<Exchange>): Exchange =>
    ({
      route: write,
      request: { method: 'POST', path: '/x', headers: {}, readBody: async () => new Uint8Array(), remoteAddress: '' },
      requestId: 'req_1',
      params: {},
      caller,
      isHandled: true,
      ...more,
    }) as Exchange;

  async function openStep() {
    const opened = await openStore();
    const refusals = createRefusals(opened);
    return { ...opened, refusals, ...createAuditStep({ ...opened, refusals, log: silentLogger }) };
  }
  const answer = async (): Promise<Response> => await Promise.resolve(new Response('{}'));
  const fail = async (): Promise<Response> => await Promise.reject(new ProblemError('config.not-found', 'x'));

  test('leaves reads alone, and records a change that was made before the request failed as both', async () => {
    await using opened = await openStep();
    const { around, change, entries } = opened;
    await around(exchangeOf({ route: { ...write, method: 'get' } }), answer);
    expect(await entries()).toEqual([]);
    const failing = around(exchangeOf({}), async () => {
      await change('one');
      return await fail();
    });
    await expect(failing).rejects.toThrow('x');
    expect((await entries()).map(({ result, code }) => [result, code])).toEqual([
      ['ok', null],
      ['failed', 'config.not-found'],
    ]);
  });

  test('records a refused login once: as what it was', async () => {
    await using opened = await openStep();
    const { around, entries, refusals, store } = opened;
    const login = around(exchangeOf({ caller: anonymous }), async () => {
      await store.events.add('session.refused', { user_id: 'usr_1', name: 'ann', failed_attempts: 1 });
      throw new ProblemError('auth.login-failed', 'x');
    });
    await expect(login).rejects.toThrow('x');
    await refusals.flush(true);
    expect(await entries()).toMatchObject([{ actor_type: 'anonymous', result: 'denied' }]);
  });

  test('counts who is over a limit, and names some of them', async () => {
    await using opened = await openStep();
    const { clock, entries, refused, refusals } = opened;
    const limited = new ProblemError('request.rate-limited', 'x');
    for (let index = 0; index < 30; index += 1)
      await refused(exchangeOf({ caller: { ...caller, id: `ses_${index}` }, isHandled: false }), limited);
    await clock.advance(59_000);
    await refusals.flush();
    expect(await entries()).toEqual([]);
    await clock.advance(1000);
    await refusals.flush();
    const [entry, ...others] = await entries();
    expect(others).toEqual([]);
    expect(entry).toMatchObject({ action: '*', code: 'request.rate-limited', object: { count: 30 } });
    expect(entry?.object['actors']).toHaveLength(10);
  });

  test('keeps what was counted when it cannot be written, and counts on', async () => {
    await using opened = await openStep();
    const { entries, store, clock } = opened;
    let isFull = true;
    const transaction: typeof store.transaction = async (run) => {
      if (isFull) throw new Error('disk full');
      return await store.transaction(run);
    };
    const refusals = createRefusals({ clock, store: { ...store, transaction } });
    const missing = new ProblemError('auth.missing', 'x');
    const stranger = { ...actor, caller: anonymous };
    await refusals.add(stranger, missing);
    const failing = refusals.flush(true);
    await refusals.add(stranger, missing);
    await expect(failing).rejects.toThrow('disk full');
    isFull = false;
    await refusals.flush(true);
    expect(await entries()).toMatchObject([{ code: 'auth.missing', object: { count: 2 } }]);
  });

  test('writes sixty refusals a minute of a person, however many sessions they open', async () => {
    await using opened = await openStep();
    for (let index = 0; index < 70; index += 1)
      await opened.refusals.add(
        { ...actor, caller: { ...caller, id: `ses_${index}` } },
        new ProblemError('auth.forbidden', 'x'),
      );
    expect(await opened.entries()).toHaveLength(60);
  });

  test('sees that secrets are asked for, whatever else the query says', async () => {
    await using opened = await openStep();
    const read = { ...write, method: 'get' } as const;
    const asked = async (path: string) =>
      await opened.around(exchangeOf({ route: read, request: { ...exchangeOf({}).request, path } }), answer);
    await asked('/x?reveal=no');
    expect(await opened.entries()).toEqual([]);
    await asked('/x?name=a?&reveal=yes');
    expect(await opened.entries()).toMatchObject([{ action: 'write', result: 'ok' }]);
  });

  test('shows no secret that could not be recorded', async () => {
    await using opened = await openStep();
    const { around, store } = opened;
    const reveal = exchangeOf({ route: { ...write, method: 'get', permission: 'secrets:reveal' } });
    const broken = createAuditStep({
      ...opened,
      log: silentLogger,
      store: { ...store, transaction: async () => await Promise.reject(new Error('disk full')) },
    });
    await expect(broken.around(reveal, answer)).rejects.toThrow('disk full');
    expect((await around(reveal, answer)).status).toBe(200);
  });

  test('answers why a request came to nothing even when that cannot be written down', async () => {
    await using opened = await openStep();
    const refusals = { ...opened.refusals, add: async () => await Promise.reject(new Error('disk full')) };
    const { around } = createAuditStep({ ...opened, refusals, log: silentLogger });
    await expect(around(exchangeOf({}), fail)).rejects.toMatchObject({ code: 'config.not-found' });
  });
});
