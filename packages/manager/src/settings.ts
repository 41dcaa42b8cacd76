import { parseDuration, ProblemError } from '@sbox/core';
import { roleNames, type RoleName } from '@sbox/protocol';
import ipaddr from 'ipaddr.js';
import * as z from 'zod/mini';

const described = <S extends z.ZodMiniType>(description: string, schema: S): S =>
  schema.check(z.describe(description) as never);
const duration = z.string().check(z.refine((text) => parseDuration(text) !== undefined, 'must be a duration as 30s'));
const cidr = z.string().check(z.refine((text) => ipaddr.isValidCIDR(text), 'must be a network as 10.0.0.0/8'));
/** Exact, as browsers send it: no path, no default port, no pattern. */
const origin = z
  .string()
  .check(
    z.refine((text) => URL.parse(text)?.origin === text && text !== 'null', 'must be an origin as https://example.com'),
  );
/** Over plain HTTP only from this machine. */
const issuer = z.string().check(
  z.maxLength(512),
  z.refine((text) => {
    const url = URL.parse(text);
    const isPlain = url?.search === '' && url.hash === '' && url.username === '' && url.password === '';
    return isPlain && (url.protocol === 'https:' || /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:|\/|$)/.test(text));
  }, 'must be an https address without a query'),
);
const role = z.enum(roleNames as [RoleName, ...RoleName[]]);
const claim = z.string().check(z.minLength(1), z.maxLength(128));
const perMinute = z.int().check(z.minimum(1));

const kept = (preset: number) => z._default(z.int().check(z.minimum(1)), preset);
/** What is being made may still be about to need what was replaced just now. */
const keptFor = (preset: string) =>
  z._default(
    duration.check(z.refine((text) => (parseDuration(text) ?? 0) >= 3_600_000, 'must be at least 1h')),
    preset,
  );

/** What a listener hands out: `api` for people and programs, `agents` for servers, `sub` for clients. */
const servedParts = ['api', 'agents', 'sub'] as const;

const listenerSchema = z.strictObject({
  address: described('host:port, or the path of a Unix socket', z.string()),
  tls: described(
    'auto: off on loopback and Unix sockets, on elsewhere',
    z._default(z.enum(['auto', 'on', 'off']), 'auto'),
  ),
  serves: z._default(z.array(z.enum(servedParts)).check(z.minLength(1)), [...servedParts]),
});

export const settingsSchema = z.strictObject({
  data_dir: described('Where everything is kept', z._default(z.string().check(z.minLength(1)), '/var/lib/sboxmgr')),
  listen: described(
    'Where requests are answered',
    z._default(z.array(listenerSchema).check(z.minLength(1), z.maxLength(16)), [
      { address: '127.0.0.1:4780', tls: 'auto', serves: [...servedParts] },
    ]),
  ),
  names: described(
    'Host names and addresses under which servers and people reach the manager; they go into its certificate',
    z._default(z.array(z.string()).check(z.maxLength(64)), []),
  ),
  trusted_proxies: described(
    'Networks of proxies in front: their X-Forwarded-For is believed, and plain HTTP from elsewhere is theirs to protect',
    z._default(z.array(cidr), []),
  ),
  tls: z.prefault(
    z.strictObject({
      cert_file: described('Own certificate, PEM; with its chain', z.optional(z.string())),
      key_file: described('Its key, PEM', z.optional(z.string())),
    }),
    {},
  ),
  cors: z.prefault(
    z.strictObject({
      origins: described(
        'Web pages of other origins that may use the API with a token of their own, as https://example.com',
        z._default(z.array(origin).check(z.maxLength(16)), []),
      ),
    }),
    {},
  ),
  fetch: z.prefault(
    z.strictObject({
      allow: described('Networks that may be fetched from besides public addresses', z._default(z.array(cidr), [])),
      timeout: described('For one fetch with all its redirects', z._default(duration, '30s')),
      max_bytes: described(
        'Of one subscription, unpacked',
        z._default(z.int().check(z.minimum(1024)), 10 * 1024 * 1024),
      ),
      max_redirects: z._default(z.int().check(z.minimum(0), z.maximum(10)), 3),
    }),
    {},
  ),
  rule_sets: z.prefault(
    z.strictObject({
      refresh: described('How often the mirrored rule-sets are looked at; 0 for never', z._default(duration, '1d')),
      max_bytes: described(
        'Of one rule-set; at most 15 MiB, which is what an agent takes in one answer',
        z._default(z.int().check(z.minimum(1024), z.maximum(15 * 1024 * 1024)), 15 * 1024 * 1024),
      ),
    }),
    {},
  ),
  engine: z.prefault(
    z.strictObject({
      path: described('A sing-box, to check versions before they are deployed', z.optional(z.string())),
    }),
    {},
  ),
  agents: z.prefault(
    z.strictObject({
      heartbeat: described('How often agents say that they are there', z._default(duration, '30s')),
      poll: described('How often agents ask without a socket', z._default(duration, '60s')),
      urls: described(
        'Where servers reach this manager, when it moves: they try these, and keep the old address until one has answered',
        z._default(z.array(z.url({ protocol: /^https?$/ })).check(z.maxLength(16)), []),
      ),
      reconnect_window: described('Over how long agents spread their return', z._default(duration, '5s')),
    }),
    {},
  ),
  clients: z.prefault(
    z.strictObject({
      url: described(
        'Where clients reach /sub, as https://sub.example.com; by default the first name, at the listener that serves it',
        z.optional(origin),
      ),
    }),
    {},
  ),
  deployments: z.prefault(
    z.strictObject({
      verdict_timeout: described(
        'A server that says nothing for so long halts its deployment',
        z._default(duration, '10m'),
      ),
    }),
    {},
  ),
  events: z.prefault(z.strictObject({ keep: described('How long events are kept', z._default(duration, '30d')) }), {}),
  retention: z.prefault(
    z.strictObject({
      versions: z.prefault(
        z.strictObject({
          keep: described('Newest versions of each config that stay whatever their age', kept(50)),
          age: described('How long a version stays after the next one came, at least an hour', keptFor('90d')),
        }),
        {},
      ),
      drafts: z.prefault(
        z.strictObject({ age: described('How long a draft stays that nobody published', keptFor('30d')) }),
        {},
      ),
      snapshots: z.prefault(
        z.strictObject({
          keep: described('Newest snapshots of each subscription that stay whatever their age', kept(50)),
          age: described('How long a snapshot stays after the next one came, at least an hour', keptFor('90d')),
        }),
        {},
      ),
    }),
    {},
  ),
  limits: z.prefault(
    z.strictObject({
      anonymous: described('Requests a minute of one address without credentials', z._default(perMinute, 100)),
      token: described('Requests a minute with one token', z._default(perMinute, 600)),
      agent: described('Requests a minute of one server', z._default(perMinute, 600)),
      enrol: described('Joins a minute from one address', z._default(perMinute, 10)),
      login: described('Logins a minute from one address', z._default(perMinute, 10)),
      sub: described('Configs that clients take a minute from one address, and tries to', z._default(perMinute, 120)),
    }),
    {},
  ),
  oidc: z.optional(
    z.strictObject({
      issuer: described('The identity provider that people log in by, exactly as it calls itself', issuer),
      client_id: described('Who the manager is to it', z.string().check(z.minLength(1), z.maxLength(256))),
      client_secret_file: described('A file with the secret; a public client has none', z.optional(z.string())),
      name: described('What the button is called', z._default(z.string().check(z.maxLength(64)), 'Single sign-on')),
      scopes: described(
        'What the provider is asked for',
        z._default(
          z.array(z.string().check(z.regex(/^[!#-[\]-~]{1,64}$/))).check(
            z.maxLength(16),
            z.refine((scopes) => scopes.includes('openid'), 'must have openid'),
          ),
          ['openid', 'profile', 'email'],
        ),
      ),
      name_claim: described('What a new user is called', z._default(claim, 'preferred_username')),
      role_claim: described(
        'What the role comes from, anew at every login, as groups or realm_access.roles; without it roles are given here',
        z.optional(claim),
      ),
      roles: described(
        'Roles by what that claim holds; the first that fits',
        z._default(z.array(z.strictObject({ value: z.string(), role })).check(z.maxLength(64)), []),
      ),
      default_role: described('The role of who has none of these; without it they may not come in', z.optional(role)),
      allowed_domains: described(
        'Only who has a verified e-mail address there',
        z._default(z.array(z.string().check(z.maxLength(253))).check(z.maxLength(64)), []),
      ),
      allowed_groups: described(
        'Only who has one of these in role_claim, or in groups without one',
        z._default(z.array(z.string().check(z.maxLength(256))).check(z.maxLength(64)), []),
      ),
      auto_create: described(
        'Whether who is not known yet becomes a user; otherwise they are made first: sboxmgr user create --subject',
        z._default(z.boolean(), false),
      ),
    }),
  ),
  defaults: described(
    'Settings of configs for all servers, as log_level: info; what is written over the API wins',
    z._default(z.record(z.string(), z.unknown()), {}),
  ),
  log: z.prefault(z.strictObject({ level: z._default(z.enum(['error', 'warn', 'info', 'debug']), 'info') }), {}),
  epoch: described(
    'Raise it after restoring an old database: orders of a higher epoch replace all of a lower one',
    z._default(z.int().check(z.minimum(1)), 1),
  ),
});

export type ManagerSettings = z.output<typeof settingsSchema>;
export type OidcSettings = NonNullable<ManagerSettings['oidc']>;
export type ListenerSettings = ManagerSettings['listen'][number];

export const msOf = (text: string): number => parseDuration(text) ?? 0;

const isLocal = (address: string): boolean => {
  if (address.startsWith('/') || address.startsWith('./')) return true;
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
  return host === 'localhost' || (ipaddr.isValid(host) && ipaddr.process(host).range() === 'loopback');
};

/**
 * Whether a listener speaks TLS.
 * @throws ProblemError `settings.unsafe` for plain HTTP that others could listen to
 */
export function usesTls({ address, tls }: ListenerSettings, { trusted_proxies }: ManagerSettings): boolean {
  if (tls !== 'off') return tls === 'on' || !isLocal(address);
  if (isLocal(address) || trusted_proxies.length > 0) return false;
  throw new ProblemError('settings.unsafe', `${address} would send tokens and configs in the clear`, {
    fix: 'Leave tls at auto, or name the proxy in front in trusted_proxies.',
  });
}
