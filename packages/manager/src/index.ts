export { startManager, type Manager, type ManagerOverrides } from './manager.ts';
export { settingsSchema, type ManagerSettings } from './settings.ts';
