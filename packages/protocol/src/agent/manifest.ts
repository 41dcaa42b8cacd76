import * as z from 'zod/mini';
import { countSchema, digestSchema, idSchema, named, nameSchema, timeSchema } from '../schema.ts';

const positive = z.int().check(z.minimum(1));
const durationMs = z.int().check(z.minimum(0), z.maximum(86_400_000));

/** How a unit is proved: a request through it to at least `need` of the targets must answer as expected. */
export const probeSchema = z.strictObject({
  urls: z.array(z.string()).check(z.minLength(1), z.maxLength(8)),
  expect: z.array(z.int()),
  need: positive,
  /** A look at a target holds up everything else that the agent does. */
  timeout_ms: z.int().check(z.minimum(1), z.maximum(60_000)),
});
export type Probe = z.output<typeof probeSchema>;

/**
 * A file that a config refers to by its path, `rule-sets/<hex>.srs`. Below a folder that the agent chooses: a path of the
 * order never leaves it.
 */
export const unitFileSchema = z.strictObject({
  path: z.string().check(z.maxLength(200), z.regex(/^[a-z0-9][\w-]*(\.[\w-]+)*(\/[a-z0-9][\w-]*(\.[\w-]+)*)*$/)),
  digest: digestSchema,
  size: countSchema,
});
export type UnitFile = z.output<typeof unitFileSchema>;

const lookPace = {
  /** Unique in its unit; it names the probe in status and metrics. */
  id: nameSchema,
  every_ms: z.optional(z.int().check(z.minimum(1000), z.maximum(86_400_000))),
  timeout_ms: z.optional(z.int().check(z.minimum(1), z.maximum(60_000))),
  /** Failed looks in a row until it counts as down, good ones until it is up again. */
  fail: z.optional(positive),
  pass: z.optional(positive),
};

/** A look at a unit beside its `probe`: what it says shows in the status, and fails a version that is being watched. */
export const extraProbeSchema = z.discriminatedUnion('type', [
  /** `host:port` takes a connection. */
  z.strictObject({ ...lookPace, type: z.literal('tcp'), address: z.string() }),
  /** Asked directly, not through the engine. */
  z.strictObject({
    ...lookPace,
    type: z.literal('http'),
    url: z.string(),
    expect: z.optional(z.array(z.int())),
    /** The body has to hold this text. */
    contains: z.optional(z.string().check(z.maxLength(500))),
  }),
  /** Ends with 0. Only programs that the server's own settings name are run; no shell, an empty environment. */
  z.strictObject({
    ...lookPace,
    type: z.literal('exec'),
    command: z.array(z.string()).check(z.minLength(1), z.maxLength(32)),
  }),
  /** Through the engine, like the unit's `probe`. */
  z.strictObject({
    ...lookPace,
    type: z.literal('proxy'),
    urls: z.array(z.string()).check(z.minLength(1), z.maxLength(8)),
    expect: z.optional(z.array(z.int())),
    need: z.optional(positive),
  }),
  /** The address that `url` answers with, seen through the engine: one of `addresses`, or other than seen directly. */
  z.strictObject({
    ...lookPace,
    type: z.literal('egress'),
    url: z.string(),
    addresses: z.optional(z.array(z.string()).check(z.maxLength(64))),
  }),
]);
export type ExtraProbe = z.output<typeof extraProbeSchema>;

/** The program that a unit runs with, as content: where this is set, nothing else is run. */
export const engineBuildSchema = z.strictObject({
  digest: digestSchema,
  size: countSchema,
  version: z.string(),
  /** As Node says it: `x64`, `arm64`. */
  arch: z.string(),
});
export type EngineBuild = z.output<typeof engineBuildSchema>;

export const unitSchema = z.strictObject({
  name: nameSchema,
  kind: z.enum(['sing-box']),
  /** Engine versions that may run it, as `>=1.12 <1.15`. */
  engine: z.string(),
  config: z.strictObject({
    digest: digestSchema,
    size: countSchema,
    config_id: z.nullable(idSchema),
    version: z.nullable(countSchema),
  }),
  engine_build: z.optional(engineBuildSchema),
  /** Units of the same order that have to be ready before this one is started. */
  depends_on: z.optional(z.array(nameSchema).check(z.maxLength(32))),
  probes: z.optional(z.array(extraProbeSchema).check(z.maxLength(16))),
  /** Left out where there are none, so that an agent that does not know the key takes all other orders. */
  files: z.optional(z.array(unitFileSchema).check(z.maxLength(256))),
  /** Tags of nodes and endpoints that may be open only once; a trial leaves them out. */
  once: z.array(z.string()),
  reload: z.enum(['auto', 'in-place', 'restart']),
  trial: z.boolean(),
  probe: probeSchema,
  /** Healthy for so long after the take-over: committed. */
  watch_ms: durationMs,
});
export type Unit = z.output<typeof unitSchema>;

/** All content that a unit needs. */
export const contentOf = ({ config, files = [] }: Pick<Unit, 'config' | 'files'>): readonly UnitContent[] => [
  config,
  ...files,
];
export type UnitContent = Pick<UnitFile, 'digest' | 'size'>;

/** The file of a unit that says which node each tag of its config is, so that a choice outlives a new name. */
export const nodesFileName = 'nodes.json';
export const nodesFileSchema = z.array(z.object({ tag: z.string(), node_id: z.string(), subscription: z.string() }));
export type NamedNode = z.output<typeof nodesFileSchema>[number];

/**
 * What one server should run, as this version writes it. Agents read it by `readManifest`, which leaves alone what only a
 * newer manager knows and says so.
 */
export const manifestSchema = named(
  'Manifest',
  'The signed list of units and digests that one server should run.',
  z.strictObject({
    schema: z.literal(1),
    server_id: idSchema,
    epoch: positive,
    generation: positive,
    issued_at: timeSchema,
    not_after: z.nullable(timeSchema),
    min_agent: z.string(),
    /** Features that must be understood, or nothing of this is followed: see `agentFeatures`. */
    critical: z.optional(z.array(z.string().check(z.maxLength(64))).check(z.maxLength(32))),
    settings: z.strictObject({
      heartbeat_ms: durationMs,
      poll_ms: durationMs,
      reconnect_window_ms: durationMs,
      /** Where the manager is from now on; an agent keeps the old addresses until one of these has answered. */
      manager_urls: z.optional(z.array(z.string()).check(z.maxLength(16))),
    }),
    /** The generation whose content this one brings back. */
    rollback_of: z.nullable(positive),
    on_return: z.enum(['enforce', 'adopt', 'hold']),
    /** Taken back after so long unless somebody confirms it, or the manager is still reached and the probes hold. */
    confirm_ms: z.optional(durationMs),
    units: z.array(unitSchema).check(z.maxLength(32)),
  }),
);
export type Manifest = z.output<typeof manifestSchema>;

export const envelopeSchema = named(
  'Envelope',
  'A signed document (DSSE). The signature covers the exact bytes of the payload.',
  z.object({
    payloadType: z.string(),
    payload: z.string(),
    signatures: z.array(z.object({ keyid: z.string(), sig: z.string() })).check(z.minLength(1), z.maxLength(8)),
  }),
);

/** Signed by the root key: which online keys may sign manifests, and which CA the manager's certificate comes from. */
export const trustSchema = named(
  'Trust',
  'Online keys and the CA of a manager, signed by its root key.',
  // Loose: what a newer manager adds does not lock out those who cannot read it; what would, is another `schema`.
  z.object({
    schema: z.literal(1),
    version: positive,
    /** Ed25519 public keys, SPKI in base64; `keyid` is the first 16 hex digits of its SHA-256. */
    keys: z.array(z.object({ keyid: z.string(), public_key: z.string() })).check(z.minLength(1), z.maxLength(8)),
    /** SHA-256 of the CA certificate (DER, hex); null when the manager is reached through a certificate of the public web. */
    ca_sha256: z.nullable(z.string()),
  }),
);
export type Trust = z.output<typeof trustSchema>;

/** Of a whole bundle; agents read it into memory. */
export const maxBundleBytes = 64 * 1024 * 1024;

/** The first file of a bundle, `bundle.json`; the others are `blobs/sha256/<hex>`. */
export const bundleSchema = named(
  'Bundle',
  'What a bundle says of itself; manifest and trust are checked just like those from the network.',
  z.object({
    schema: z.literal(1),
    server_id: idSchema,
    server_name: z.string(),
    made_at: timeSchema,
    /** Base64 of the root key, so that a server that never saw its manager can check it against a pin. */
    root_key: z.string(),
    trust: envelopeSchema,
    manifest: envelopeSchema,
  }),
);
export type Bundle = z.output<typeof bundleSchema>;
