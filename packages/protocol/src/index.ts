/**
 * All that crosses a process boundary, as plain data: routes, documents, socket frames. The typed client, the mount,
 * OpenAPI and AsyncAPI are derived from it.
 */
export * from './agent/agent-routes.ts';
export * from './agent/features.ts';
export * from './agent/manifest.ts';
export * from './agent/read-manifest.ts';
export * from './agent/socket.ts';
export * from './agent/status.ts';
export * from './agent/status-notes.ts';
export * from './audit/audit-chain.ts';
export * from './audit/audit-verifier.ts';
export * from './audit/canonical-json.ts';
export * from './client.ts';
export { operatorContract, type OperatorContract } from './contract.ts';
export { localRoutes, historyEntrySchema } from './local/local-routes.ts';
export * from './permissions.ts';
export * from './roles.ts';
export * from './selector.ts';
export { gatewayProblemsOf } from './gateway-problems.ts';
export * from './route.ts';
export {
  configSettingsSchema,
  configWriteSchema,
  templateChoiceSchema,
  type OperatorList,
} from './operator/config-recipe.ts';
export { auditLineSchema, mostExported, type AuditLine } from './operator/audit.ts';
export { maxEngineBytes } from './operator/engines.ts';
export type { TemplateDocument } from './operator/templates.ts';
export { subscriptionWriteSchema } from './operator/subscriptions.ts';
