import * as z from 'zod/mini';
import { agentFrameSchema, agentStreamPath, agentSubprotocol, managerFrameSchema } from './agent/socket.ts';
import { eventSchemas } from './event-schemas.ts';
import type { ApiInfo } from './openapi.ts';
import type { Schema } from './route.ts';
import { eventSchema } from './operator/system.ts';

type Json = Record<string, unknown>;

/**
 * AsyncAPI 3.0 (https://www.asyncapi.com/docs/reference/specification/v3.0.0) of the manager: the frames on an agent's
 * socket in both directions, and every event.
 */
export function asyncapi(info: ApiInfo): Json {
  const fromManager = frames(managerFrameSchema);
  const fromAgent = frames(agentFrameSchema);
  const events = eventMessages();
  return {
    asyncapi: '3.0.0',
    info: { ...info, license: { name: 'Apache-2.0' } },
    defaultContentType: 'application/json',
    channels: {
      agentStream: {
        address: agentStreamPath,
        description: `WebSocket of one agent, sub-protocol ${agentSubprotocol}. The upgrade request is signed (RFC 9421).`,
        messages: references('messages', [...Object.keys(fromManager), ...Object.keys(fromAgent)]),
        bindings: { ws: { method: 'GET' } },
      },
      events: {
        address: '/api/v1/events',
        description: 'What happened, newest first; read with GET.',
        messages: references('messages', Object.keys(events)),
      },
    },
    operations: {
      sendHints: operation(
        'send',
        'agentStream',
        Object.keys(fromManager),
        'Frames that the manager sends to an agent.',
      ),
      receiveHeartbeats: operation('receive', 'agentStream', Object.keys(fromAgent), 'Frames that an agent sends.'),
      publishEvents: operation('send', 'events', Object.keys(events), 'Events of the manager.'),
    },
    components: { messages: { ...fromManager, ...fromAgent, ...events } },
  };
}

const operation = (
  action: 'send' | 'receive',
  channel: string,
  messages: readonly string[],
  summary: string,
): Json => ({
  action,
  summary,
  channel: { $ref: `#/channels/${channel}` },
  messages: messages.map((name) => ({ $ref: `#/channels/${channel}/messages/${name}` })),
});

const references = (kind: string, names: readonly string[]): Json =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/${kind}/${name}` }]));

/** A frame type for each branch of a union, by the constant in its `type`. */
function frames(union: Schema): Record<string, Json> {
  const { anyOf, oneOf = anyOf ?? [] } = jsonSchema(union) as { anyOf?: FrameSchema[]; oneOf?: FrameSchema[] };
  return Object.fromEntries(
    oneOf.map((payload) => {
      const name = payload.properties.type.const;
      return [name, { name, title: `The frame ${name}`, payload }];
    }),
  );
}

interface FrameSchema {
  readonly properties: { readonly type: { readonly const: string } };
}

const eventMessages = (): Record<string, Json> =>
  Object.fromEntries(
    Object.entries(eventSchemas).map(([name, { summary, data }]) => {
      const payload = jsonSchema(z.extend(eventSchema, { type: z.literal(name), data }));
      return [name, { name, title: `The event ${name}`, summary, payload }];
    }),
  );

/** AsyncAPI's schemas are those of draft-07. */
function jsonSchema(schema: Schema): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-7', io: 'output' }) as Json;
  return rest;
}
