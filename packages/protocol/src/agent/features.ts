/**
 * What an agent of this version can do beyond the first one, as it tells the manager; a manifest names in `critical` what
 * must be understood. A name never changes its meaning.
 */
export const agentFeatures = [
  /** Keys that are not known are left alone and reported; `critical` is honoured. */
  'loose-manifest',
  'unit-files',
  'engine-build',
  'depends-on',
  'extra-probes',
  'confirm',
  'manager-urls',
  /** Only the settings of the manifest count: whatever runs goes on. */
  'no-order',
] as const;
export type AgentFeature = (typeof agentFeatures)[number];
