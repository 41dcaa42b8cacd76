import type { AgentFeature, Manifest } from '@sbox/protocol';
import type { Server } from '../servers/servers-repository.ts';

const feature: AgentFeature = 'manager-urls';

/** What a manifest says of where the manager is; nothing to agents that would refuse it for that. */
export const managerUrlsFor = (
  { agent }: Pick<Server, 'agent'>,
  urls: readonly string[],
): Pick<Manifest['settings'], 'manager_urls'> =>
  urls.length > 0 && agent?.features?.includes(feature) === true ? { manager_urls: [...urls] } : {};

/** Whether a server that is assigned nothing can be told where the manager is, in a manifest that orders nothing. */
export const hearsWithoutOrder = ({ agent }: Pick<Server, 'agent'>, urls: readonly string[]): boolean =>
  managerUrlsFor({ agent }, urls).manager_urls !== undefined &&
  agent?.features?.includes('no-order' satisfies AgentFeature) === true;
