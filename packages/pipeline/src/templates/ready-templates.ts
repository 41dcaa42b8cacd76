import type { ParamSpec, Template } from '@sbox/protocol/pipeline';
import { clientDocument } from './client-template.ts';
import { clientParams } from './client-params.ts';
import { serverDocument, serverParams } from './server-template.ts';

type ClientParam = keyof typeof clientParams;
type Defaults = Readonly<Partial<Record<ClientParam, unknown>>>;

/** The client document with other defaults; every one of its parameters can still be given. */
function client(name: string, description: string, defaults: Defaults = {}): Template {
  const params = Object.entries<ParamSpec>(clientParams).map(([param, spec]): [string, ParamSpec] => [
    param,
    Object.hasOwn(defaults, param) ? ({ ...spec, default: defaults[param as ClientParam] } as ParamSpec) : spec,
  ]);
  return { name, engine: 'sing-box', description, params: Object.fromEntries(params), document: clientDocument };
}

/** The templates that come with the program. Those for clients are one document that starts from different settings. */
export const readyTemplates: readonly Template[] = [
  client(
    'mixed',
    'A port for HTTP and SOCKS proxies on this machine; everything that comes to it goes through the nodes.',
  ),
  client(
    'tun-gateway',
    'A network interface takes all traffic of the machine, and of those that it routes for; private addresses stay outside.',
    { inbound: 'tun', lan_direct: true },
  ),
  client(
    'dns-split',
    'Names of a region are asked of a DNS server nearby and reached directly, all others through the nodes.',
    { dns_split: true, lan_direct: true, regions: ['cn'] },
  ),
  client(
    'rule-routing',
    'Rules of a region decide what goes through the nodes: everything but its own sites, or only what is blocked there.',
    { lan_direct: true, regions: ['ru'] },
  ),
  client(
    'adblock',
    'Advertising and tracking is refused, by name and by connection; the rest goes through the nodes.',
    {
      block_ads: true,
      lan_direct: true,
    },
  ),
  {
    name: 'server',
    engine: 'sing-box',
    description: 'Inbounds that others connect to: each protocol with a port is opened, for the given users.',
    params: serverParams,
    document: serverDocument,
  },
];

export const readyTemplate = (name: string): Template | undefined =>
  readyTemplates.find((template) => template.name === name);
