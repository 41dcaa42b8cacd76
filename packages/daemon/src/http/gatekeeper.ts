import { ProblemError } from '@sbox/core';
import type { Route } from '@sbox/protocol';
import { anonymous, type Caller, type GuardedRequest } from './exchange.ts';

/** How much is left of a limit that a request was counted against. */
export interface Allowance {
  /** The name of the limit. */
  readonly policy: string;
  /** Requests in a window. */
  readonly quota: number;
  readonly windowS: number;
  readonly remaining: number;
  /** Until the window ends. */
  readonly resetS: number;
}

/** Decides who comes in. Each question is asked once a request, in this order; an answer that is no throws a problem. */
export interface Gatekeeper {
  /** Before anybody knows who asks: limits by address. */
  admit(route: Route, request: GuardedRequest): Promise<Allowance | undefined>;
  /** Says who asks. May read the raw body, so that its digest can be checked. */
  authenticate(route: Route, request: GuardedRequest): Promise<Caller>;
  authorize(route: Route, caller: Caller): Promise<void>;
  /** How much one caller may ask. */
  limit(route: Route, caller: Caller): Promise<Allowance | undefined>;
}

const unlimited = async (): Promise<undefined> => await Promise.resolve(undefined);

/** A gatekeeper that knows callers, without limits; what a caller may do is what its permissions say. */
export const createGatekeeper = (
  parts: Pick<Gatekeeper, 'authenticate'> & Partial<Omit<Gatekeeper, 'authenticate'>>,
): Gatekeeper => ({
  admit: unlimited,
  authorize: async (route, caller) => refuseWithoutPermission(route, caller),
  limit: unlimited,
  ...parts,
});

/** @throws ProblemError `auth.forbidden` with the permission that is missing */
export function refuseWithoutPermission({ id, permission }: Route, caller: Caller): void {
  if (isPermitted(permission, caller)) return;
  throw new ProblemError('auth.forbidden', `${caller.name} may not use ${id}: it lacks ${permission}`, {
    details: { permission },
  });
}

function isPermitted(permission: Route['permission'], { kind, permissions }: Caller): boolean {
  if (permission === 'public') return true;
  if (permission === 'agent') return kind === 'server';
  if (permission === 'self') return kind === 'token' || kind === 'session' || kind === 'local';
  return permissions.has(permission);
}

/**
 * Asks all four questions, for what is no request of a route: the upgrade of a socket. `refused` is told who was not let
 * in, as far as that was found out, and why.
 */
export async function passGate(
  gatekeeper: Gatekeeper,
  route: Route,
  request: GuardedRequest,
  refused?: (caller: Caller, error: unknown) => Promise<void>,
): Promise<Caller> {
  let caller = anonymous;
  try {
    await gatekeeper.admit(route, request);
    caller = await gatekeeper.authenticate(route, request);
    await gatekeeper.authorize(route, caller);
    await gatekeeper.limit(route, caller);
    return caller;
  } catch (error) {
    await refused?.(caller, error);
    throw error;
  }
}
