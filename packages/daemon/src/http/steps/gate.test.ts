import { expect, test } from '@jest/globals';
import { ProblemError } from '@sbox/core';
import { createExchange } from '../../../test/exchange-double.ts';
import { anonymous, type Caller } from '../exchange.ts';
import { createGatekeeper, passGate, refuseWithoutPermission, type Gatekeeper } from '../gatekeeper.ts';
import { createAdmit, createAuthenticate, createAuthorize, createLimit } from './gate.ts';

const caller: Caller = { kind: 'token', id: 'tok_1', name: 'tests', permissions: new Set(['status:read']) };
const authenticate: Gatekeeper['authenticate'] = async () => await Promise.resolve(caller);
const allowance = { policy: 'token', quota: 600, windowS: 60, remaining: 599, resetS: 42 };
const next = async () => await Promise.resolve(new Response('here'));

test('whoever is found stands in the exchange for the steps after it', async () => {
  const exchange = createExchange();
  let seen: Caller | undefined;
  await createAuthenticate(createGatekeeper({ authenticate }))(exchange, async () => {
    seen = exchange.caller;
    return await next();
  });
  expect(seen).toBe(caller);
});

test.each([
  ['by address', createAdmit],
  ['by caller', createLimit],
])('what is left of a limit %s stands in the answer', async (_name, create) => {
  const limited = async () => await Promise.resolve(allowance);
  const gatekeeper = createGatekeeper({ authenticate, admit: limited, limit: limited });
  const exchange = createExchange();
  await create(gatekeeper)(exchange, next);
  expect(Object.fromEntries(exchange.answered)).toEqual({
    'ratelimit-policy': '"token";q=600;w=60',
    ratelimit: '"token";r=599;t=42',
  });
});

test('without a limit nothing is said about one', async () => {
  const exchange = createExchange();
  const gatekeeper = createGatekeeper({ authenticate });
  await createAdmit(gatekeeper)(exchange, async () => await createLimit(gatekeeper)(exchange, next));
  expect([...exchange.answered]).toEqual([]);
});

test('a step that refuses asks for nothing more', async () => {
  const refuse = async () => await Promise.reject(new ProblemError('request.rate-limited', 'slow'));
  const gatekeeper = createGatekeeper({ authenticate: refuse, admit: refuse, authorize: refuse, limit: refuse });
  for (const create of [createAdmit, createAuthenticate, createAuthorize, createLimit]) {
    let isAsked = false;
    const step = create(gatekeeper)(createExchange(), async () => {
      isAsked = true;
      return await next();
    });
    await expect(step).rejects.toMatchObject({ code: 'request.rate-limited' });
    expect(isAsked).toBe(false);
  }
});

test('a permission, being a server, and being somebody at all are different questions', () => {
  const server: Caller = { ...caller, kind: 'server', permissions: new Set() };
  const other: Caller = { ...caller, permissions: new Set() };
  const table: [Parameters<typeof refuseWithoutPermission>[0]['permission'], Caller[], Caller[]][] = [
    ['public', [anonymous, server, other, caller], []],
    ['status:read', [caller], [anonymous, server, other]],
    ['agent', [server], [anonymous, other, caller]],
    ['self', [other, caller, { ...other, kind: 'session' }], [anonymous, server]],
  ];
  for (const [permission, good, bad] of table) {
    const { route } = createExchange({ route: { permission } });
    for (const one of good) expect(() => refuseWithoutPermission(route, one)).not.toThrow();
    for (const one of bad)
      expect(() => refuseWithoutPermission(route, one)).toThrow(
        expect.objectContaining({ code: 'auth.forbidden', details: { permission } }),
      );
  }
});

test('an upgrade is asked the same four questions', async () => {
  const asked: string[] = [];
  const note = (name: string) => async () => {
    asked.push(name);
    return await Promise.resolve(undefined);
  };
  const gatekeeper: Gatekeeper = {
    admit: note('admit'),
    async authenticate() {
      asked.push('authenticate');
      return await Promise.resolve(caller);
    },
    authorize: note('authorize'),
    limit: note('limit'),
  };
  const { route, request } = createExchange();
  expect(await passGate(gatekeeper, route, request)).toBe(caller);
  expect(asked).toEqual(['admit', 'authenticate', 'authorize', 'limit']);
  // Who is refused is told of as far as they are known.
  const refused: [Caller, unknown][] = [];
  const told = async (who: Caller, error: unknown) => void (await Promise.resolve(refused.push([who, error])));
  const no = async () => await Promise.reject(new Error('no'));
  for (const step of ['authenticate', 'authorize'] as const)
    await expect(passGate({ ...gatekeeper, [step]: no }, route, request, told)).rejects.toThrow('no');
  expect(refused.map(([who]) => who.kind)).toEqual(['anonymous', caller.kind]);
});
