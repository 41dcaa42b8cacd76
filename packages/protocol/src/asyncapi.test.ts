import specs from '@asyncapi/specs';
import { expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import { agentFrameSchema, agentStreamPath, managerFrameSchema } from './agent/socket.ts';
import { asyncapi } from './asyncapi.ts';
import { eventSchemas } from './event-schemas.ts';

type Json = Record<string, unknown>;
const document = asyncapi({ title: 'sbox', version: '1.2.3', description: 'test' });
const messages = (document['components'] as { messages: Record<string, { payload: Json }> }).messages;

test('passes the schema of AsyncAPI 3.0', () => {
  const schema = specs.schemasWithoutId['3.0.0'] as Json;
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  const validate = ajv.compile(schema);
  validate(document);
  expect(validate.errors ?? []).toEqual([]);
  expect(validate({ ...document, asyncapi: '2.6.0' })).toBe(false);
});

test('every reference leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path ?? '');
  expect(references.length).toBeGreaterThan(20);
  for (const reference of references) {
    const target = reference.split('/').reduce<unknown>((value, key) => (value as Json | undefined)?.[key], document);
    expect([reference, target]).toEqual([reference, expect.anything()]);
  }
});

test('has every frame of the socket and every event', () => {
  expect(document).toMatchObject({ channels: { agentStream: { address: agentStreamPath } } });
  expect(Object.keys(messages)).toEqual(['welcome', 'hint', 'drain', 'heartbeat', ...Object.keys(eventSchemas)]);
});

test('the payloads take real frames and refuse wrong ones', () => {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const timestamp = '2026-01-01T00:00:00.000Z';
  const fits = (name: string, frame: Json): boolean => ajv.validate(messages[name]?.payload ?? false, frame);
  const hint = { type: 'hint', timestamp, data: { epoch: 1, generation: 7 } };
  const heartbeat = { type: 'heartbeat', timestamp, data: { seq: 1 } };
  expect([managerFrameSchema.parse(hint), agentFrameSchema.parse(heartbeat)]).toEqual([hint, heartbeat]);
  expect([fits('hint', hint), fits('heartbeat', heartbeat), fits('heartbeat', hint)]).toEqual([true, true, false]);
  const joined = { id: 'evt_1', seq: 1, type: 'server.joined', timestamp, source: 'manager' };
  expect(fits('server.joined', { ...joined, data: { server_id: 'srv_1', name: 'island' } })).toBe(true);
  expect(fits('server.joined', { ...joined, data: { server_id: 'srv_1' } })).toBe(false);
});
