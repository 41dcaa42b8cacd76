import { isoTime, ProblemError, type ProblemCode } from '@sbox/core';
import { writeAtomic } from '@sbox/daemon/files';
import type { Caller, Guard, GuardedRequest } from '@sbox/daemon/serve';
import { verifyRequest } from '@sbox/daemon/signature';
import type { Route } from '@sbox/protocol';
import type { AgentKey, AgentKeys } from '../features/agents/agent-keys.ts';
import { addressKey, createRateLimits, isLoopback, type RateLimits, type RateLimitSettings } from './rate-limits.ts';
import { findBearer, isAdmin, makeToken, type IssuedToken, type NewTokenOptions, type TokensDeps } from './tokens.ts';

export interface AccessDeps extends TokensDeps {
  /** The key of a server; throws `auth.revoked` for one that was removed. */
  readonly agentKeys: Pick<AgentKeys, 'find'>;
  readonly limits: RateLimitSettings;
}

export interface Access {
  readonly guard: Guard;
  issue(options: NewTokenOptions): Promise<IssuedToken>;
  /** Makes a token that may do everything and writes it to the file (mode 0600), unless there is such a token. */
  ensureAdminToken(file: string): Promise<void>;
}

/** Who may call what: the doors of the manager. */
export function createAccess(deps: AccessDeps): Access {
  const { tokens, clock } = deps;
  return {
    guard: createGuard(deps, createRateLimits(deps.limits)),
    async issue(options) {
      const issued = makeToken(deps, options);
      await tokens.insert(issued.record);
      return issued;
    },
    async ensureAdminToken(file) {
      const usable = await tokens.listUsable(isoTime(clock.now()));
      if (usable.some(isAdmin)) return;
      const issued = makeToken(deps, { name: 'admin', kind: 'pat', permissions: ['admin'] });
      // The file first: a crash between the two leaves a dead text that the next start replaces, not a lost token.
      await writeAtomic(file, `${issued.text}\n`);
      await tokens.insert(issued.record);
    },
  };
}

/** Their answers are constant, and what watches the manager must always get through. */
const unlimited: ReadonlySet<string> = new Set(['getLiveness', 'getReadiness']);

/** A right caller whose clock is wrong, or that was removed, learns so however many there are behind its address. */
const uncounted: ReadonlySet<ProblemCode> = new Set(['auth.clock-skew', 'auth.revoked']);

function createGuard(deps: AccessDeps, limits: RateLimits): Guard {
  const verifyAgent = async (request: GuardedRequest): Promise<Caller> => {
    let key: AgentKey | undefined;
    const find = async (serverId: string): Promise<AgentKey | undefined> => (key = await deps.agentKeys.find(serverId));
    const id = await verifyRequest(request, find, deps.clock);
    await key?.used();
    return { kind: 'server', id, name: id, permissions: new Set() };
  };

  /** Failures count by address, so that guessing ends; a right caller at the same address is not held up by them. */
  const identify = async (request: GuardedRequest, find: () => Promise<Caller>): Promise<Caller> => {
    try {
      return await find();
    } catch (error) {
      if (error instanceof ProblemError && !uncounted.has(error.code))
        await limits.consume('anonymous', addressKey(request.remoteAddress));
      throw error;
    }
  };

  const admitPublic = async (route: Route, { remoteAddress }: GuardedRequest): Promise<Caller> => {
    const key = addressKey(remoteAddress);
    if (route.id === 'enrol') {
      if (!isLoopback(remoteAddress)) await limits.consume('enrol', key);
    } else if (!unlimited.has(route.id)) await limits.consume('anonymous', key);
    return { kind: 'anonymous', id: 'anonymous', name: 'anonymous', permissions: new Set() };
  };

  return async (route, request) => {
    const { permission } = route;
    if (permission === 'public') return await admitPublic(route, request);
    if (permission === 'agent') {
      const caller = await identify(request, async () => await verifyAgent(request));
      await limits.consume('agent', caller.id);
      return caller;
    }
    const { authorization, 'signature-input': signature } = request.headers;
    const caller = await identify(request, async () => {
      if (authorization !== undefined) return await findBearer(authorization, deps);
      if (signature !== undefined) return await verifyAgent(request);
      throw new ProblemError('auth.missing', 'the request has no Authorization header');
    });
    await limits.consume(caller.kind === 'server' ? 'agent' : 'token', caller.id);
    if (caller.permissions.has(permission)) return caller;
    throw new ProblemError('auth.forbidden', `${caller.name} may not use ${route.id}: it lacks ${permission}`, {
      details: { permission },
    });
  };
}
