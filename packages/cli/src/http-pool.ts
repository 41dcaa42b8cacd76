// A file of its own, loaded when a manager is called: the bundler gives names to what is imported, not to what is awaited.
export { Pool } from 'undici';
