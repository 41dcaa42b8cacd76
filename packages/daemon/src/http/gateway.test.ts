import { expect, test } from '@jest/globals';
import { ProblemError, type ProblemCode } from '@sbox/core';
import { createExchange } from '../../test/exchange-double.ts';
import type { Caller, Exchange, Step } from './exchange.ts';
import { createGateway, gatewaySteps, type GatewayOptions } from './gateway.ts';
import { createGatekeeper } from './gatekeeper.ts';

const caller: Caller = { kind: 'token', id: 'tok_1', name: 'tests', permissions: new Set(['status:read']) };
const gatekeeper = createGatekeeper({ authenticate: async () => await Promise.resolve(caller) });
const answer = async () => await Promise.resolve({ name: 'a' });
const replay: GatewayOptions['replay'] = {
  once: async (_caller, _request, run) => ({ answer: await run(), isReplay: false }),
};

test('the order of the steps', () => {
  const { route } = createExchange();
  const around: Step[] = [async (_, next) => await next(), async (_, next) => await next()];
  expect(gatewaySteps(route, answer, { gatekeeper, around, replay }).map(({ name }) => name)).toEqual([
    'admit',
    'authenticate',
    'authorize',
    'limit',
    'validate',
    'around 1',
    'around 2',
    'replay',
    'handle',
  ]);
  expect(gatewaySteps(route, answer, { gatekeeper }).map(({ name }) => name)).not.toContain('replay');
});

test('steps around the handler see who asks and what came out, the first outermost', async () => {
  const seen: unknown[] = [];
  const note =
    (name: string): Step =>
    async (exchange, next) => {
      seen.push([name, exchange.caller.id, exchange.isHandled]);
      const response = await next();
      seen.push([name, response.status, exchange.isHandled]);
      return response;
    };
  const exchange = createExchange();
  const pass = createGateway(exchange.route, answer, { gatekeeper, around: [note('one'), note('two')] });
  expect(await (await pass(exchange)).json()).toEqual({ name: 'a' });
  expect(seen).toEqual([
    ['one', 'tok_1', false],
    ['two', 'tok_1', false],
    ['two', 200, true],
    ['one', 200, true],
  ]);
});

test('what keeps a request from its handler is told, what the handler itself refuses is not', async () => {
  const told: unknown[] = [];
  const refused = async ({ caller: { kind }, isHandled }: Exchange, error: unknown) => {
    told.push([kind, isHandled, (error as ProblemError).code]);
    await Promise.resolve();
  };
  const attempt = async (exchange: Exchange, options: Partial<GatewayOptions>, handler = answer) => {
    const pass = createGateway(exchange.route, handler, { gatekeeper, refused, ...options });
    return await pass(exchange).then(
      () => 'answered',
      (error: unknown) => (error as ProblemError).code,
    );
  };
  const stranger = createGatekeeper({
    authenticate: async () => await Promise.reject(new ProblemError('auth.missing', 'who')),
  });
  expect(await attempt(createExchange(), { gatekeeper: stranger })).toBe('auth.missing');
  expect(await attempt(createExchange({ route: { permission: 'tokens:write' } }), {})).toBe('auth.forbidden');
  expect(await attempt(createExchange({ path: '/things?x=1' }), {})).toBe('request.invalid');
  const fails = async () => await Promise.reject(new ProblemError('config.not-found', 'c'));
  expect(await attempt(createExchange(), {}, fails)).toBe('config.not-found');
  expect(told).toEqual([
    ['anonymous', false, 'auth.missing'],
    ['token', false, 'auth.forbidden'],
    ['token', false, 'request.invalid'],
  ]);
});

test('a problem that a route does not declare is told, those of the gateway and its own are not', async () => {
  const told: ProblemCode[] = [];
  const undeclared = (_: unknown, code: ProblemCode): void => void told.push(code);
  const codes: ProblemCode[] = ['config.not-found', 'server.not-found', 'request.invalid', 'auth.forbidden'];
  for (const code of codes) {
    const exchange = createExchange({ route: { problems: ['config.not-found'] } });
    const handler = async () => await Promise.reject(new ProblemError(code, 'no'));
    await expect(createGateway(exchange.route, handler, { gatekeeper, undeclared })(exchange)).rejects.toThrow('no');
  }
  expect(told).toEqual(['server.not-found']);
});
