export { openDatabase, type OpenDatabase } from './open-database.ts';
export { createStore, type Store } from './store.ts';
