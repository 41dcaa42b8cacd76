import { permissionNames, type Permission } from './permissions.ts';

interface Role {
  readonly description: string;
  readonly permissions: readonly Permission[];
}

const seeing = [
  'subscriptions:read',
  'configs:read',
  'clients:read',
  'servers:read',
  'events:read',
  'status:read',
] as const satisfies readonly Permission[];

/** What a person, or a token, may do together. A role is a list of permissions and nothing more. */
export const roles = {
  viewer: { description: 'Sees the fleet, secrets hidden', permissions: seeing },
  operator: {
    description: 'Writes subscriptions and configs, moves no server',
    permissions: [...seeing, 'subscriptions:write', 'configs:write', 'settings:write', 'clients:write'],
  },
  deployer: {
    description: 'Moves servers to versions that others wrote',
    permissions: [...seeing, 'configs:deploy', 'environments:write'],
  },
  secadmin: {
    description: 'Looks after people, tokens, secrets and the audit log; changes no config',
    permissions: [
      ...seeing,
      'policies:write',
      'secrets:reveal',
      'tokens:write',
      'people:read',
      'people:write',
      'audit:read',
    ],
  },
  admin: { description: 'Everything', permissions: permissionNames },
} as const satisfies Readonly<Record<string, Role>>;

export type RoleName = keyof typeof roles;

export const roleNames = Object.keys(roles) as readonly RoleName[];

/** @returns the permissions of a role; none for a role that this version does not know */
export const permissionsOfRole = (role: string): ReadonlySet<Permission> =>
  new Set(Object.hasOwn(roles, role) ? roles[role as RoleName].permissions : []);
