import { createClient, operatorContract, type Client, type OperatorContract, type Transport } from '@sbox/protocol';
import { withRetries, type RetryOptions } from './retry.ts';

export interface OperatorClientOptions {
  readonly transport: Transport;
  readonly retry: RetryOptions;
  /** A person's or program's token; without it the agent's own signature goes along and every call is refused. */
  readonly accessToken?: string;
}

/** What people and programs ask a manager for (configs, subscriptions, health and the rest), over an agent's transport. */
export const createOperatorClient = ({
  transport,
  retry,
  accessToken,
}: OperatorClientOptions): Client<OperatorContract> =>
  createClient(
    operatorContract,
    withRetries(accessToken === undefined ? transport : withToken(transport, accessToken), retry),
  );

const withToken =
  (transport: Transport, accessToken: string): Transport =>
  async (request) =>
    await transport({ ...request, headers: { ...request.headers, authorization: `Bearer ${accessToken}` } });
