import { ProblemError, type ProblemCode } from '@sbox/core';
import { gatewayProblemsOf, type Route } from '@sbox/protocol';
import type { Exchange, Step } from './exchange.ts';
import type { Gatekeeper } from './gatekeeper.ts';
import { createAdmit, createAuthenticate, createAuthorize, createLimit } from './steps/gate.ts';
import { createHandle, type AnyHandler } from './steps/handle.ts';
import { createReplay, type Replay } from './steps/replay.ts';
import { createValidate } from './steps/validate.ts';

export interface GatewayOptions {
  readonly gatekeeper: Gatekeeper;
  /** Steps around the handler, in order: requests that reach them are authorized and valid. */
  readonly around?: readonly Step[];
  /** Is told of every problem that kept a request from its handler; what it throws is answered instead. */
  readonly refused?: (exchange: Exchange, error: unknown) => Promise<void>;
  /** Is told of a problem of a handler that its route does not declare: the documents do not know it. */
  readonly undeclared?: (route: Route, code: ProblemCode) => void;
  readonly replay?: Replay;
  /** Ignores a query and a body that the route does not know: the caller may be of a later version. */
  readonly isTolerant?: boolean;
}

export interface NamedStep {
  readonly name: string;
  readonly step: Step;
}

/**
 * The way of every request to the handler of its route, in this order. Before it the app has given the request its id
 * (app.ts), and what comes back as a problem becomes an answer there.
 */
export const gatewaySteps = (route: Route, handler: AnyHandler, options: GatewayOptions): readonly NamedStep[] => [
  { name: 'admit', step: createAdmit(options.gatekeeper) },
  { name: 'authenticate', step: createAuthenticate(options.gatekeeper) },
  { name: 'authorize', step: createAuthorize(options.gatekeeper) },
  { name: 'limit', step: createLimit(options.gatekeeper) },
  { name: 'validate', step: createValidate(route, options) },
  ...(options.around ?? []).map((step, index) => ({ name: `around ${index + 1}`, step })),
  ...(options.replay ? [{ name: 'replay', step: createReplay(options.replay) }] : []),
  { name: 'handle', step: createHandle(handler) },
];

export type Gateway = (exchange: Exchange) => Promise<Response>;

/** All steps as one function. @throws ProblemError of the step or handler that refused, or what broke */
export function createGateway(route: Route, handler: AnyHandler, options: GatewayOptions): Gateway {
  const { refused, undeclared } = options;
  const pass = chain(gatewaySteps(route, handler, options).map(({ step }) => step));
  const declared = new Set<ProblemCode>([...route.problems, ...gatewayProblemsOf(route)]);
  return async (exchange) => {
    try {
      return await pass(exchange);
    } catch (error) {
      if (!exchange.isHandled) await refused?.(exchange, error);
      else if (error instanceof ProblemError && !declared.has(error.code)) undeclared?.(route, error.code);
      throw error;
    }
  };
}

/** The steps one inside the other; the last one answers. */
const chain = (steps: readonly Step[]): Gateway =>
  steps.reduceRight<Gateway>(
    (rest, step) => async (exchange) => await step(exchange, async () => await rest(exchange)),
    async () => await Promise.reject(new Error('no step answered')),
  );
