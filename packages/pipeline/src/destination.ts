import { ProblemError } from '@sbox/core';
import { parseIp, type Flow } from '@sbox/engines/sing-box/render';

/** What a person can say about a connection. */
export interface Question {
  /** `example.com:443`, `192.0.2.1:53`, `[2001:db8::1]:443`; without a port it is 443. */
  readonly destination: string;
  readonly network?: 'tcp' | 'udp' | undefined;
  readonly source?: string | undefined;
  readonly inbound?: string | undefined;
  readonly protocol?: string | undefined;
  readonly addresses?: readonly string[] | undefined;
  readonly mode?: string | undefined;
  /** The name that sniffing finds in a connection to an address; by default there is none. */
  readonly host?: string | undefined;
}

/** What is spoken at well-known ports, for those who do not say it. */
const usualProtocols: Readonly<Record<string, string>> = {
  'tcp 22': 'ssh',
  'tcp 53': 'dns',
  'tcp 80': 'http',
  'tcp 443': 'tls',
  'tcp 853': 'tls',
  'udp 53': 'dns',
  'udp 123': 'ntp',
  'udp 443': 'quic',
  'udp 3478': 'stun',
};

/** Something that was taken for granted. */
export interface Assumption {
  readonly fact: 'protocol' | 'host';
  readonly text: string;
}

/**
 * The connection that is asked about, and what was taken for granted in it.
 * @throws ProblemError `request.invalid`
 */
export function readQuestion({ destination, network = 'tcp', mode, ...given }: Question): {
  flow: Flow;
  assumed: Assumption[];
} {
  const place = parseDestination(destination);
  const usual = usualProtocols[`${network} ${place.port}`];
  const isNameless = place.ip !== undefined && given.host === undefined;
  const facts = { ...given, ...(isNameless && { host: '' }), clash_mode: mode, protocol: given.protocol ?? usual };
  const known = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
  const assumed: Assumption[] = [];
  if (given.protocol === undefined && usual !== undefined)
    assumed.push({ fact: 'protocol', text: `it speaks ${usual}, as usual at port ${place.port}` });
  if (isNameless) assumed.push({ fact: 'host', text: 'it names no host' });
  return { flow: { ...known, ...place, network }, assumed };
}

/**
 * Reads a host or an address with its port behind a colon.
 * @throws ProblemError `request.invalid`
 */
export function parseDestination(text: string): Pick<Flow, 'host' | 'ip' | 'port'> {
  const found = /^(?:\[(?<inside>[^\]]+)\]|(?<plain>[^:[\]]+))(?::(?<port>\d{1,5}))?$/.exec(text)?.groups ?? {};
  const isAddress = parseIp(text) !== undefined;
  const name = isAddress ? text : (found['inside'] ?? found['plain'] ?? '');
  const port = Number((isAddress ? undefined : found['port']) ?? 443);
  const ip = parseIp(name) === undefined ? undefined : name.replace(/^\[|\]$/g, '');
  if (
    name === '' ||
    /[\s/]/.test(name) ||
    port < 1 ||
    port > 65_535 ||
    (found['inside'] !== undefined && ip === undefined)
  )
    throw new ProblemError('request.invalid', 'a destination is a host or an address, with its port behind a colon');
  return ip === undefined ? { host: name.toLowerCase().replace(/\.$/, ''), port } : { ip, port };
}
