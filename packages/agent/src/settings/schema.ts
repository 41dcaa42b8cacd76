import { parseDuration } from '@sbox/core';
import * as z from 'zod/mini';

/** A key with the sentence that `docs/reference` shows for it. */
const key = <S extends z.ZodMiniType>(description: string, schema: S): S => {
  z.globalRegistry.add(schema, { description });
  return schema;
};

/** `30s`, `5m`; becomes milliseconds. A bare 0 is what YAML makes of `0`. */
const durationText = z.pipe(
  z.union([
    z.string().check(z.refine((text) => parseDuration(text) !== undefined, 'is no duration: 30s, 5m, 1h30m')),
    z.literal(0),
  ]),
  z.transform((text) => parseDuration(String(text)) ?? 0),
);
const duration = (preset: string) => z.prefault(durationText, preset);
/** `512M`, `1.5G`, or a number of bytes; becomes bytes. M and MiB are the same: 1024 times 1024. */
const sizePattern = /^(\d+(?:\.\d+)?) ?([KMGT]?)(?:i?B)?$/i;
const sizeText = z.pipe(
  z.union([
    z.string().check(z.refine((text) => sizePattern.test(text), 'is no size: 512M, 1.5G, 0')),
    z.int().check(z.minimum(0)),
  ]),
  z.transform((given) => {
    const [, number = '0', unit = ''] = sizePattern.exec(String(given)) ?? [];
    return Math.round(Number(number) * 1024 ** ['', 'K', 'M', 'G', 'T'].indexOf(unit.toUpperCase()));
  }),
);
const size = (preset: string) => z.prefault(sizeText, preset);
const bool = (preset: boolean) => z._default(z.boolean(), preset);
const count = (preset: number, most = 1_000_000) => z._default(z.int().check(z.minimum(0), z.maximum(most)), preset);
const port = z.int().check(z.minimum(0), z.maximum(65_535));
const url = z.url({ protocol: /^https?$/ });
const absolutePath = z.string().check(z.regex(/^\//, 'is no absolute path'));
const proxy = z.url({ protocol: /^(http|socks5)$/ });

const security = z.prefault(
  z.strictObject({
    auth_enabled: key('Ask for the token; false is honoured on loopback and on a socket file only', bool(true)),
    auth_token: key(
      'Token for the local API over TCP; at least 16 characters',
      z.optional(z.string().check(z.minLength(16))),
    ),
    rate_limit: z.prefault(
      z.strictObject({
        enabled: key('Limit requests over TCP', bool(true)),
        requests_per_minute: key('How many requests a minute', z._default(z.int().check(z.minimum(1)), 100)),
      }),
      {},
    ),
    cors: z.prefault(
      z.strictObject({
        enabled: key('Answer browsers of other origins', bool(false)),
        allowed_origins: key('Which origins', z._default(z.array(z.string()), [])),
      }),
      {},
    ),
  }),
  {},
);

const api = z.prefault(
  z.strictObject({
    enabled: key('Serve the local API over TCP, beside the socket file in the state directory', bool(false)),
    host: key('Where to listen: an address, or the path of a socket file', z._default(z.string(), '127.0.0.1')),
    port: key('Port; 0 for any', z._default(port, 4781)),
    security,
    websocket: z.prefault(
      z.strictObject({
        enabled: key('Understood; events over a socket come later', bool(true)),
        ping_interval: duration('30s'),
        pong_timeout: duration('10s'),
        max_connections: count(100),
      }),
      {},
    ),
    metrics: z.prefault(
      z.strictObject({
        enabled: key('Serve metrics', bool(true)),
        prometheus_endpoint: key(
          'Path of the metrics, beside the one of the API',
          z._default(z.string().check(z.regex(/^\//)), '/metrics'),
        ),
        collection_interval: duration('15s'),
      }),
      {},
    ),
  }),
  {},
);

const plugins = z.prefault(
  z.strictObject({
    enabled: key('Understood; plugins come later', bool(false)),
    health_check: z.prefault(
      z.strictObject({ enabled: bool(true), interval: duration('30s'), timeout: duration('5s'), retries: count(3) }),
      {},
    ),
    event_collection: z.prefault(
      z.strictObject({ enabled: bool(true), buffer_size: count(1000), flush_interval: duration('5s') }),
      {},
    ),
    configuration: z.prefault(
      z.strictObject({
        auto_reload: bool(true),
        validation: bool(true),
        backup_enabled: bool(true),
        backup_retention: count(5),
      }),
      {},
    ),
  }),
  {},
);

const sync = z.prefault(
  z.strictObject({
    wait: key('How long the manager may hold a question for news', duration('50s')),
    poll: key('How long to wait between questions when the manager does not hold them', duration('60s')),
    resync: key('How often to ask although the socket says nothing, ± 20 %', duration('5m')),
    socket: key('Keep a WebSocket open for hints', bool(true)),
    socket_retry: key('When to try the WebSocket again after it failed twice', duration('10m')),
    retry_base: key('First wait after a failure; doubles, with full jitter', duration('1s')),
    retry_cap: key('Longest wait after failures', duration('60s')),
    connect_timeout: key('How long a connection may take', duration('5s')),
    debounce: key('How long changes without a verdict are collected before they are reported', duration('1s')),
    heartbeat: key('How often the status is sent until a manifest says otherwise', duration('30s')),
  }),
  {},
);

const apply = z.prefault(
  z.strictObject({
    start: key('How long an engine may take to start or to take over a config', duration('5s')),
    verify: key('How long requests through the new config may fail before the old one comes back', duration('10s')),
    watch_every: key('How often a config is tried while it is watched', duration('2s')),
    watch_fails: key('How many failed tries in a row take it back', z._default(z.int().check(z.minimum(1)), 3)),
    swap: key(
      'How new connections are moved to a new engine: auto redirects them with nftables where that can be had; front passes TCP through the agent, so that engines see 127.0.0.1 as their source and connections end with the agent; off never does',
      z._default(z.enum(['auto', 'front', 'off']), 'auto'),
    ),
    drain: key('How long an engine that was replaced may serve on the connections it has', duration('10m')),
    stop: key('How long an engine may take to stop before it is killed', duration('10s')),
    confirm: key(
      'How long something has to speak for a config that no trial could prove, before the old one comes back; 0 for never',
      duration('120s'),
    ),
    exec_probes: key(
      "Programs that a manifest's probes may run, by absolute path",
      z._default(z.array(absolutePath).check(z.maxLength(32)), []),
    ),
    crash_rollback: key('A crash loop takes a config back that was committed less than this ago', duration('15m')),
    retry: key(
      'When a refused order is tried again, each wait ± 20 %',
      z._default(
        z.array(durationText),
        ['1m', '5m', '15m', '60m'].map((text) => parseDuration(text) ?? 0),
      ),
    ),
  }),
  {},
);

const logs = z.prefault(
  z.strictObject({
    max_bytes: key("How large an engine's log may grow before it is moved aside", size('10M')),
    files: key('How many old ones are kept beside it', count(5, 100)),
    lines_per_second: key('What an engine logs faster is thrown away; 0 keeps all of it', count(1000)),
  }),
  {},
);

const budget = z.prefault(
  z.strictObject({
    memory: key('Memory that engines and agent together may use before the status says so; 0: any', size('0')),
    engine_memory: key('An engine that uses more is started again, at most once an hour; 0: never', size('0')),
    disk_free: key(
      'What stays free on the disk of the state directory: old files go before, and the status says so',
      size('128M'),
    ),
  }),
  {},
);

/** Every key of `/etc/sboxagent/*.yaml`. Durations are milliseconds once they are read. */
export const agentSettingsSchema = z.strictObject({
  state_dir: key('Where the agent keeps everything it must not lose', z._default(z.string(), '/var/lib/sboxagent')),
  engine: z.prefault(
    z.strictObject({
      sing_box: key('Path of sing-box; else SBOX_SING_BOX, .tools/bin of a checkout, PATH', z.optional(z.string())),
      source: key(
        'Where engines that an order names are looked for before the manager: directories and web addresses',
        z._default(
          z.array(z.union([url, z.string().check(z.regex(/^\//, 'is no absolute path'))])).check(z.maxLength(8)),
          [],
        ),
      ),
      keep: key('How many engines are kept that no version needs any more', count(3, 100)),
      stop_on_exit: key('Stop the engines when the agent ends; they outlive it otherwise', bool(false)),
    }),
    {},
  ),
  ports: key(
    'Ports that replace those of a rendition, by tag of the inbound',
    z._default(z.record(z.string(), port), {}),
  ),
  manager: z.prefault(
    z
      .strictObject({
        urls: key('Addresses of the manager; those from joining otherwise', z._default(z.array(url), [])),
        via: key(
          'How to reach it: direct; through manager.proxy; or auto: directly, and through the proxy or an engine of this machine while that fails',
          z._default(z.enum(['direct', 'proxy', 'auto']), 'auto'),
        ),
        proxy: key('Proxy to reach it through, http://user:password@host:port or socks5://…', z.optional(proxy)),
      })
      .check(
        z.refine(({ via, proxy: given }) => via !== 'proxy' || given !== undefined, 'via: proxy needs manager.proxy'),
      ),
    {},
  ),
  identity: z.prefault(
    z.strictObject({
      rotate_after: key('The key of this server is replaced when it is so old; 0 for never', duration('0')),
    }),
    {},
  ),
  sync,
  apply,
  logs,
  budget,
  import: z.prefault(
    z.strictObject({
      dir: key(
        'Directory that is watched for bundles and plain configs',
        z._default(z.string(), '/etc/sboxagent/import.d'),
      ),
      allow_unsigned: key('Take plain configs; by default only on a server that never joined', z.optional(z.boolean())),
      after: key('How long the manager must be away before plain configs are taken', duration('5m')),
      settle: key('How long a file must stay unchanged before it is read', duration('1s')),
      watch: key('How long an imported config must stay healthy to be committed', duration('10s')),
      probe: z.prefault(
        z.strictObject({
          urls: key(
            'What is asked for through an imported config to prove it; a manifest says it otherwise',
            z._default(z.array(url).check(z.minLength(1), z.maxLength(8)), [
              'https://www.gstatic.com/generate_204',
              'https://cp.cloudflare.com/generate_204',
            ]),
          ),
          expect: key('Which statuses are good', z._default(z.array(z.int()), [200, 204])),
          need: key('How many of the addresses must answer so', z._default(z.int().check(z.minimum(1)), 1)),
          timeout: key('How long one may take', duration('3s')),
        }),
        {},
      ),
    }),
    {},
  ),
  api,
  plugins,
  log: z.prefault(
    z.strictObject({ level: key('How much to log', z._default(z.enum(['error', 'warn', 'info', 'debug']), 'info')) }),
    {},
  ),
});

export type AgentSettings = z.output<typeof agentSettingsSchema>;
