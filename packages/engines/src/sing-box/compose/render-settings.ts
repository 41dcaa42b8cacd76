import { parseDuration, ProblemError } from '@sbox/core';

export interface InboundSettings {
  readonly type: 'mixed' | 'socks' | 'http';
  readonly tag: string;
  readonly listen: string;
  readonly listen_port: number;
}

export interface UrltestSettings {
  /** What the engine fetches through each node to find the fastest. */
  readonly url: string;
  readonly interval: string;
  /** Milliseconds by which another node must be faster to be taken. */
  readonly tolerance: number;
}

export interface DnsSettings {
  /** Answers what clients ask the proxy about names; it is reached through the nodes. */
  readonly remote: {
    readonly type: 'udp' | 'tcp' | 'tls' | 'https';
    readonly server: string;
    readonly server_port?: number;
    readonly path?: string;
  };
  readonly strategy?: 'prefer_ipv4' | 'prefer_ipv6' | 'ipv4_only' | 'ipv6_only';
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'panic'] as const;

/** What a config says beside its nodes. Everything may be left out. */
export interface RenderSettings {
  readonly inbounds?: readonly InboundSettings[];
  readonly urltest?: Partial<UrltestSettings>;
  readonly log_level?: (typeof logLevels)[number];
  readonly dns?: Partial<DnsSettings>;
}

export interface CompleteSettings {
  readonly inbounds: readonly InboundSettings[];
  readonly urltest: UrltestSettings;
  readonly log_level: (typeof logLevels)[number];
  readonly dns: DnsSettings;
}

/** `warn` keeps the names that people visit out of the log. */
export const renderDefaults: CompleteSettings = {
  inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: 1080 }],
  urltest: { url: 'https://www.gstatic.com/generate_204', interval: '5m', tolerance: 50 },
  log_level: 'warn',
  dns: { remote: { type: 'https', server: '1.1.1.1' } },
};

/** @throws ProblemError `settings.invalid` for what the engine would refuse */
export function completeSettings({ inbounds, urltest, log_level, dns }: RenderSettings): CompleteSettings {
  const settings = {
    inbounds: inbounds === undefined || inbounds.length === 0 ? renderDefaults.inbounds : inbounds,
    urltest: { ...renderDefaults.urltest, ...set(urltest) },
    log_level: log_level ?? renderDefaults.log_level,
    dns: { ...renderDefaults.dns, ...set(dns) },
  };
  const { interval, url, tolerance } = settings.urltest;
  if (!parseDuration(interval)) refuse('urltest.interval', 'must be a duration like 5m');
  if (!/^https?:\/\/[^\s]+$/.test(url)) refuse('urltest.url', 'must be an http or https URL');
  if (!Number.isInteger(tolerance) || tolerance < 0 || tolerance > 65_535) {
    refuse('urltest.tolerance', 'must be milliseconds from 0 to 65535');
  }
  return settings;
}

/** What is really said: a field that is there and undefined takes its default too. */
const set = <T extends object>(given: T = {} as T): T =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;

function refuse(key: string, what: string): never {
  throw new ProblemError('settings.invalid', `${key} ${what}`, { details: { key } });
}
