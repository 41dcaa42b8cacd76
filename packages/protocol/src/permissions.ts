/** Every permission there is, with what it opens. Tokens carry a list of them; `admin` holds all. */
export const permissions = {
  'subscriptions:read': 'See subscriptions and their nodes, secrets hidden',
  'subscriptions:write': 'Add, change, refresh, pin and delete subscriptions',
  'configs:read': 'See configs, versions and differences, secrets hidden',
  'configs:write': 'Make, change, generate, roll back and delete configs',
  'settings:write': 'Write settings of servers, environments and others, and overrides',
  'configs:deploy': 'Move servers to a version',
  'clients:read': 'See clients, their devices and what they fetched, links hidden',
  'clients:write': 'Make, change and delete clients, give them new links, set which program gets what',
  'policies:write': 'Make, change, test, switch and delete policies',
  'servers:read': 'See servers and their state',
  'environments:write': 'Make, freeze and delete environments',
  'servers:write': 'Make join tokens, delete servers',
  'events:read': 'See events',
  'status:read': 'See the state of the manager and its metrics',
  'retention:run': 'Remove old versions and snapshots at once, as the settings say',
  'secrets:reveal': 'See URLs, node credentials and export runnable configs',
  'tokens:write': 'See, make and revoke access tokens',
  'people:read': 'See users and roles',
  'people:write': 'Add, change and remove users, set their passwords',
  'audit:read': 'See, check and export the audit log',
} as const;

export type Permission = keyof typeof permissions;

export const permissionNames = Object.keys(permissions) as readonly Permission[];
