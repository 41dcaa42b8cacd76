import { expect, test } from '@jest/globals';
import {
  operatorContract,
  permissionsOfRole,
  reachOf,
  roleNames,
  routesOf,
  type Permission,
  type Route,
} from '@sbox/protocol';
import { createTransport, openManager } from './open-manager.ts';
import { sendExample } from './send-example.ts';

/** What the gate says, before a handler runs. */
const refusals = new Set(['auth.missing', 'auth.invalid', 'auth.forbidden', 'auth.out-of-bounds']);

const isPermitted = ({ permission }: Route, held: ReadonlySet<Permission> | undefined): boolean => {
  if (permission === 'public') return true;
  if (held === undefined || permission === 'agent') return false;
  return permission === 'self' || held.has(permission);
};

/** An example that asks for secrets needs more than its operation. */
const isAllowed = (route: Route, held: ReadonlySet<Permission> | undefined): boolean =>
  isPermitted(route, held) &&
  (String(route.example.query?.['reveal']) !== 'true' || held?.has('secrets:reveal') === true);

test('every operation is open to exactly the roles that hold its permission, and to nobody without credentials', async () => {
  await using manager = await openManager();
  const routes = routesOf(operatorContract);
  const wrong: string[] = [];
  let refused = 0;
  for (const role of [undefined, ...roleNames]) {
    const token = role && (await manager.client.tokens.create({ body: { name: role, role } })).token;
    const send = createTransport(manager.manager.url, (): Record<string, string> =>
      token === undefined ? {} : { authorization: `Bearer ${token}` },
    );
    const held = role && permissionsOfRole(role);
    for (const route of routes) {
      const { status, body } = await sendExample(send, route, {});
      const { code = '' } = status < 400 ? {} : (JSON.parse(Buffer.from(body).toString()) as { code?: string });
      const wanted = isAllowed(route, held) ? 'open' : role === undefined ? '401 auth.missing' : '403 auth.forbidden';
      const found = refusals.has(code) ? `${status} ${code}` : 'open';
      if (found !== wanted) wrong.push(`${role ?? 'anonymous'} ${route.id}: ${found}, not ${wanted}`);
      if (found !== 'open') refused += 1;
    }
  }
  expect(wrong).toEqual([]);
  // All of them once for nobody, and many for each role but admin.
  expect(refused).toBeGreaterThan(2 * routes.length);
});

test('bounds take every operation that reaches everything from every role, and no other', async () => {
  await using manager = await openManager();
  const wrong: string[] = [];
  for (const role of roleNames) {
    // Nothing is inside: whatever is open answers that nothing is there.
    const bounds = { projects: ['default'], servers: 'nowhere' };
    const { token } = await manager.client.tokens.create({ body: { name: role, role, bounds } });
    const send = createTransport(manager.manager.url, () => ({ authorization: `Bearer ${token}` }));
    for (const route of routesOf(operatorContract)) {
      const { status, body } = await sendExample(send, route, {});
      const { code = '' } = status < 400 ? {} : (JSON.parse(Buffer.from(body).toString()) as { code?: string });
      const isHeld = route.permission !== 'public' && !reachOf(route);
      const refusal = isHeld ? '403 auth.out-of-bounds' : 'open';
      const held = permissionsOfRole(role);
      const isOpen = isHeld ? isPermitted(route, held) : isAllowed(route, held);
      const wanted = isOpen ? refusal : '403 auth.forbidden';
      const found = refusals.has(code) ? `${status} ${code}` : 'open';
      if (found !== wanted) wrong.push(`${role} ${route.id}: ${found}, not ${wanted}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('roles hold what the design gives them', () => {
  const holders = (permission: Permission) => roleNames.filter((role) => permissionsOfRole(role).has(permission));
  expect(holders('servers:read')).toEqual(roleNames);
  expect(holders('configs:write')).toEqual(['operator', 'admin']);
  expect(holders('configs:deploy')).toEqual(['deployer', 'admin']);
  expect(holders('servers:write')).toEqual(['admin']);
  for (const permission of ['secrets:reveal', 'tokens:write', 'people:write', 'audit:read'] as const)
    expect(holders(permission)).toEqual(['secadmin', 'admin']);
  expect(permissionsOfRole('toString').size).toBe(0);
});
