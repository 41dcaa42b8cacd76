import { describe, expect, test } from '@jest/globals';
import type { Route } from '@sbox/protocol';
import * as z from 'zod/mini';
import { createExchange } from '../../../test/exchange-double.ts';
import { createValidate, type ValidateOptions } from './validate.ts';

type Given = NonNullable<Parameters<typeof createExchange>[0]>;

async function validate(route: Partial<Route>, given: Omit<Given, 'route'> = {}, options: ValidateOptions = {}) {
  const exchange = createExchange({ ...given, route });
  await createValidate(exchange.route, options)(exchange, async () => await Promise.resolve(new Response()));
  return exchange;
}

test('every part is read as its schema says, with defaults, and the body stays as it came too', async () => {
  const route: Partial<Route> = {
    method: 'post',
    params: z.object({ id: z.string() }),
    query: z.strictObject({ limit: z._default(z.coerce.number(), 3) }),
    headers: z.object({ 'x-a': z.string() }),
    body: z.strictObject({ name: z.string() }),
  };
  const given = { params: { id: 'a' }, headers: { 'x-a': '1', 'x-b': '2' }, body: '{"name":"b"}' };
  const { args, rawBody } = await validate(route, given);
  expect(args).toEqual({ params: { id: 'a' }, query: { limit: 3 }, headers: { 'x-a': '1' }, body: { name: 'b' } });
  expect(Buffer.from(rawBody).toString()).toBe(given.body);
});

describe('a query', () => {
  const query = z.strictObject({ limit: z.optional(z.string()) });

  test.each([
    ['/things?other=1', 'query'],
    ['/things?limit=1&limit=2', 'more than once'],
    ['/things?__proto__=1', 'query'],
    ['/things?=1', 'query'],
  ])('%s is not known to its schema', async (path, words) => {
    await expect(validate({ query }, { path })).rejects.toMatchObject({
      code: 'request.invalid',
      message: expect.stringContaining(words) as unknown,
    });
  });

  test('is refused where a route takes none, unless the caller may be of a later version', async () => {
    const given = { path: '/things?new=1' };
    await expect(validate({}, given)).rejects.toMatchObject({
      code: 'request.invalid',
      details: { issues: [{ where: 'query', field: 'new' }] },
    });
    expect((await validate({}, given, { isTolerant: true })).args.query).toBeUndefined();
    expect((await validate({}, { path: '/things?' })).args.query).toBeUndefined();
  });
});

describe('a body', () => {
  test('is refused where a route takes none; an empty object says nothing', async () => {
    const route: Partial<Route> = { method: 'post' };
    await expect(validate(route, { body: '{"accept":true}' })).rejects.toMatchObject({
      code: 'request.invalid',
      message: 'body: this address takes none',
    });
    for (const body of ['', '{}']) expect((await validate(route, { body })).args.body).toBeUndefined();
    expect((await validate(route, { body: '{"a":1}' }, { isTolerant: true })).args.body).toBeUndefined();
  });

  test('of bytes comes as it is, and one that is streamed is not read here', async () => {
    const raw = await validate({ method: 'post', rawBody: 'x/y' }, { body: 'abc', headers: { 'content-type': 'q/r' } });
    expect(raw.args.body).toBe(raw.rawBody);
    const streamed = await validate({ method: 'post', streamBody: 'x/y' }, { body: 'abc' });
    expect(streamed.rawBody).toHaveLength(0);
    const chunks: Uint8Array[] = [];
    for await (const chunk of streamed.args.body as AsyncIterable<Uint8Array>) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe('abc');
  });
});

test('writing needs If-Match: it is asked for before anything else', async () => {
  const route: Partial<Route> = {
    method: 'put',
    headers: z.object({ 'if-match': z.string() }),
    body: z.strictObject({ name: z.string() }),
  };
  await expect(validate(route, { body: '{' })).rejects.toMatchObject({ code: 'precondition.required' });
  const { args } = await validate(route, { body: '{"name":"a"}', headers: { 'if-match': '"7"' } });
  expect(args.headers).toEqual({ 'if-match': '"7"' });
});
