import { agentRoutes, createClient, type Client, type Transport } from '@sbox/protocol';

export type AgentClient = Client<typeof agentRoutes>;

/** What an agent asks its manager for; who follows the manager waits by its own rules, so nothing is tried twice here. */
export const createAgentClient = (transport: Transport): AgentClient => createClient(agentRoutes, transport);
