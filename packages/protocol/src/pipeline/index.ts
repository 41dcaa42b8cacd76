/** How nodes become the nodes and groups of a config: the schemas of pipelines, for the API, files and docs. */
export {
  configTestExpectSchema,
  configTestSchema,
  verdicts,
  type ConfigTest,
  type ConfigTestExpect,
} from './config-test.ts';
export * from './operator-docs.ts';
export * from './operators.ts';
export * from './policy.ts';
export {
  nodeQuerySchema,
  patternSchema,
  securityWords,
  transportWords,
  type NodeConditions,
  type NodeQuery,
} from './query.ts';
export * from './template.ts';
