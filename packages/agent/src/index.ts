export { startAgent, type Agent, type AgentOverrides } from './agent.ts';
export { join, type JoinOptions } from './identity/join.ts';
export { agentSettingsSchema, type AgentSettings } from './settings/schema.ts';
export { readAgentSettings } from './settings/read-settings.ts';
export { createHttpTransport } from './sync/http-transport.ts';
export { createOperatorClient } from './sync/operator-client.ts';
export { createServerClock } from './sync/server-clock.ts';
