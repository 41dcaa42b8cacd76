import { isoTime, ProblemError, type ProblemCode } from '@sbox/core';
import { writeAtomic } from '@sbox/daemon/files';
import {
  anonymous,
  createGatekeeper,
  refuseWithoutPermission,
  type Allowance,
  type Caller,
  type Gatekeeper,
  type GuardedRequest,
} from '@sbox/daemon/serve';
import { verifyRequest } from '@sbox/daemon/signature';
import type { AgentKey, AgentKeys } from '../features/agents/agent-keys.ts';
import { isDangerous } from '@sbox/protocol';
import { refuseUnproven } from './step-up.ts';
import { addressKey, createRateLimits, isLoopback, type RateLimits, type RateLimitSettings } from './rate-limits.ts';
import { findBearer, isAdmin, makeToken, type IssuedToken, type NewTokenOptions, type TokensDeps } from './tokens.ts';

export interface AccessDeps extends TokensDeps {
  /** The key of a server; throws `auth.revoked` for one that was removed. */
  readonly agentKeys: Pick<AgentKeys, 'find'>;
  readonly limits: RateLimitSettings;
  /** Further ways to say who one is, asked after those of programs and servers. */
  readonly authenticators?: readonly Authenticator[];
}

/** The caller, or undefined when the request does not carry this kind of credentials; wrong ones throw a problem. */
export type Authenticator = (request: GuardedRequest) => Promise<Caller | undefined>;

export interface Access {
  readonly gatekeeper: Gatekeeper;
  issue(options: NewTokenOptions): Promise<IssuedToken>;
  /** Makes a token that may do everything and writes it to the file (mode 0600), unless there is such a token; whether it did. */
  ensureAdminToken(file: string): Promise<boolean>;
}

/** Who may call what: the doors of the manager. */
export function createAccess(deps: AccessDeps): Access {
  const { tokens, clock } = deps;
  return {
    gatekeeper: createManagerGatekeeper(deps, createRateLimits(deps.limits)),
    async issue(options) {
      const issued = makeToken(deps, options);
      await tokens.insert(issued.record);
      return issued;
    },
    async ensureAdminToken(file) {
      const usable = await tokens.listUsable(isoTime(clock.now()));
      if (usable.some(isAdmin)) return false;
      const issued = makeToken(deps, { name: 'admin', kind: 'pat', permissions: ['admin'] });
      // The file first: a crash between the two leaves a dead text that the next start replaces, not a lost token.
      await writeAtomic(file, `${issued.text}\n`);
      await tokens.insert(issued.record);
      return true;
    },
  };
}

/** Their answers are constant, and what watches the manager must always get through. */
const unlimited: ReadonlySet<string> = new Set(['getLiveness', 'getReadiness']);

/** Doors where guessing pays have limits of their own. */
const doorLimits: Readonly<Record<string, keyof RateLimitSettings>> = {
  enrol: 'enrol',
  login: 'login',
  redeemOidc: 'login',
  getSub: 'sub',
  getSubAs: 'sub',
};

/** A right caller whose clock is wrong, or that was removed, learns so however many there are behind its address. */
const uncounted: ReadonlySet<ProblemCode> = new Set(['auth.clock-skew', 'auth.revoked']);

function createManagerGatekeeper(deps: AccessDeps, limits: RateLimits): Gatekeeper {
  const verifyAgent = createAgentVerifier(deps);
  const authenticators: readonly Authenticator[] = [
    async ({ headers: { authorization } }) =>
      authorization === undefined ? undefined : await findBearer(authorization, deps),
    async (request) => (request.headers['signature-input'] === undefined ? undefined : await verifyAgent(request)),
    ...(deps.authenticators ?? []),
  ];
  const limitCaller = async ({ kind, id }: Caller): Promise<Allowance | undefined> =>
    kind === 'anonymous' ? undefined : await limits.consume(kind === 'server' ? 'agent' : 'token', id);
  return createGatekeeper({
    async admit({ id, permission }, { remoteAddress }) {
      if (permission !== 'public' || unlimited.has(id)) return undefined;
      if (id === 'enrol' && isLoopback(remoteAddress)) return undefined;
      return await limits.consume(doorLimits[id] ?? 'anonymous', addressKey(remoteAddress));
    },
    async authenticate({ permission }, request) {
      if (permission === 'public') return anonymous;
      try {
        return permission === 'agent' ? await verifyAgent(request) : await findCaller(authenticators, request);
      } catch (error) {
        // Failures count by address, so that guessing ends; a right caller at the same address is not held up by them.
        if (error instanceof ProblemError && !uncounted.has(error.code))
          await limits.consume('anonymous', addressKey(request.remoteAddress));
        throw error;
      }
    },
    async authorize(route, caller) {
      try {
        refuseWithoutPermission(route, caller);
        if (isDangerous(route, false)) refuseUnproven(caller);
      } catch (error) {
        // Refusals count too: they are looked up and written down like answers.
        await limitCaller(caller);
        throw error;
      }
    },
    limit: async (_, caller) => await limitCaller(caller),
  });
}

const createAgentVerifier =
  ({ agentKeys, clock }: AccessDeps) =>
  async (request: GuardedRequest): Promise<Caller> => {
    let key: AgentKey | undefined;
    const find = async (serverId: string): Promise<AgentKey | undefined> => (key = await agentKeys.find(serverId));
    const id = await verifyRequest(request, find, clock);
    await key?.used();
    return { kind: 'server', id, name: id, permissions: new Set() };
  };

/** @throws ProblemError `auth.missing` when nobody knows the request */
async function findCaller(authenticators: readonly Authenticator[], request: GuardedRequest): Promise<Caller> {
  for (const authenticate of authenticators) {
    const caller = await authenticate(request);
    if (caller) return caller;
  }
  throw new ProblemError('auth.missing', 'the request has no Authorization header');
}
