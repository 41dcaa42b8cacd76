import type { Bounds, Client, OperatorContract, Permission } from '@sbox/protocol';
import type { TestManager } from './open-manager.ts';

export const nodesOf = (name: string): string => `trojan://example-password@192.0.2.1:443#${name}`;

const document = {
  inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: 2080 }],
  outbounds: [{ type: 'urltest', tag: 'auto', outbounds: ['$nodes'] }, { $nodes: true }],
  route: { final: 'auto' },
};

/** A subscription, a template, a config with a version, and a server of one project. */
export async function fillProject(client: Client<OperatorContract>, project: string) {
  const named = (kind: string): string => `${project}-${kind}`;
  const source = { type: 'inline' as const, text: nodesOf(project) };
  const subscription = await client.subscriptions.add({ body: { name: named('sub'), project, source } });
  const template = { name: named('template'), engine: 'sing-box' as const, description: '', params: {}, document };
  await client.templates.create({ body: { template, project } });
  const config = await client.configs.create({
    body: {
      name: named('config'),
      project,
      subscriptions: [subscription.id],
      template: { name: template.name, params: {} },
    },
  });
  const server = await client.servers.add({ body: { name: named('server'), labels: { customer: project } } });
  return { subscription, template: template.name, config, server };
}

export const boundsOf = (project: string): Bounds => ({ projects: [project], servers: `customer=${project}` });

/** A client that may do everything, or what is listed, within bounds. */
export async function heldTo(
  manager: TestManager,
  bounds: Bounds,
  permissions?: readonly Permission[],
): Promise<{ client: Client<OperatorContract>; token: string; id: string }> {
  const { token, id } = await manager.client.tokens.create({
    body: {
      name: 'held',
      ...(permissions ? { permissions: [...permissions] } : { role: 'admin' as const }),
      bounds,
    },
  });
  return { client: manager.clientOf(token), token, id };
}

/** Two projects, `acme` and `beta`, and a caller who is held to `acme`. */
export async function openTwoProjects(manager: TestManager) {
  const acme = await fillProject(manager.client, 'acme');
  const beta = await fillProject(manager.client, 'beta');
  return { acme, beta, held: await heldTo(manager, boundsOf('acme')) };
}
