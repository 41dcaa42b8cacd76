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
export * from './bounds.ts';
export * from './client.ts';
export { operatorContract, type OperatorContract } from './contract.ts';
export { localRoutes, historyEntrySchema } from './local/local-routes.ts';
export * from './permissions.ts';
export * from './reaches.ts';
export * from './roles.ts';
export * from './selector.ts';
export * from './setting-scope.ts';
export { gatewayProblemsOf } from './gateway-problems.ts';
export * from './route.ts';
export * from './step-up.ts';
export {
  configSettingsSchema,
  configWriteSchema,
  settingKeys,
  templateChoiceSchema,
  type OperatorList,
  type SettingKey,
  type SettingKeyRow,
  writtenSettingsSchema,
} from './operator/config-recipe.ts';
export { settingLayers, type SettingLayerName } from './operator/settings.ts';
export {
  weekDays,
  type FreezeWindow,
  type OnceWindow,
  type WeekDay,
  type WeeklyWindow,
} from './operator/environments.ts';
export { auditLineSchema, mostExported, type AuditLine } from './operator/audit.ts';
export { maxEngineBytes } from './operator/engines.ts';
export {
  clientFormats,
  clientRefusals,
  formatNames,
  type ClientFormat,
  type ClientRule,
} from './operator/client-rules.ts';
export { clientWriteSchema, hwidPattern } from './operator/clients.ts';
export { singleSignOn } from './operator/single-sign-on.ts';
export type { TemplateDocument } from './operator/templates.ts';
export { clientRulesFileSchema, settingsFileSchema, templateFileSchema } from './operator/file-schemas.ts';
export { subscriptionWriteSchema } from './operator/subscriptions.ts';
