import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import { addParam, spellings, type Params } from '../params.ts';
import { readShadowsocks } from '../protocols/shadowsocks.ts';
import { decodeBase64 } from '../text/base64.ts';
import { decodePercent } from '../text/percent.ts';
import { parseJsonObject, settingText } from './json-object.ts';
import type { SplitLink } from './split-link.ts';

const names = spellings({
  name: ['remarks'],
  server: [],
  port: [],
  method: ['encryption'],
  password: [],
  plugin: [],
  plugin_opts: ['plugin_options'],
});
/** What the servers of one airport share, unless a server says otherwise. */
const shared: readonly string[] = ['port', 'encryption', 'password', 'plugin', 'plugin_options'];

/** What an SSD link says about the plan; the values are as the panel wrote them. */
export interface SsdAirport {
  readonly name?: string;
  readonly traffic_used?: string;
  readonly traffic_total?: string;
  readonly expiry?: string;
  /** One reader for each server, in order; each throws ProblemError `node.*` by itself. */
  readonly readers: readonly (() => NodeDraft)[];
}

/**
 * `ssd://base64(JSON)`: one airport with its servers. What one server sets counts for that server alone.
 * @throws ProblemError `node.malformed`
 * @see https://github.com/TheCGDF/SSD-Windows/wiki/HTTP%E8%AE%A2%E9%98%85%E5%8D%8F%E5%AE%9A
 */
export function readSsd(link: SplitLink): SsdAirport {
  const airport = parseJsonObject(decodeBase64(decodePercent(link.body.replace(/\/$/, ''))));
  const servers = airport?.['servers'];
  if (airport === undefined || !Array.isArray(servers)) {
    throw new ProblemError('node.malformed', 'the part after ssd:// is not base64 of a JSON object with servers');
  }
  const common = Object.fromEntries(shared.map((key) => [key, airport[key]]));
  const about = ([key, field]: readonly [string, string]): readonly [string, string][] =>
    airport[field] === undefined || airport[field] === null ? [] : [[key, settingText(airport[field])]];
  return {
    ...Object.fromEntries(aboutFields.flatMap(about)),
    readers: servers.map((server: unknown) => () => readServer(server, common)),
  };
}

const aboutFields = [
  ['name', 'airport'],
  ['traffic_used', 'traffic_used'],
  ['traffic_total', 'traffic_total'],
  ['expiry', 'expiry'],
] as const;

function readServer(server: unknown, common: Readonly<Record<string, unknown>>): NodeDraft {
  if (typeof server !== 'object' || server === null) {
    throw new ProblemError('node.malformed', 'the server is not an object');
  }
  const params: Params = new Map();
  // The number of the server in the panel's own list, and what a byte costs there, mean nothing outside of it.
  for (const [key, value] of Object.entries({ ...common, ...withoutEmpty(server) })) {
    if (value !== undefined && value !== null && key !== 'id' && key !== 'ratio') {
      addParam(params, key, settingText(value), names);
    }
  }
  return readShadowsocks(params);
}

const withoutEmpty = (server: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(server).filter(([, value]) => value !== undefined && value !== null));
