/**
 * The two files of undici that the agent loads: its index costs 5 MB more (measured). The paths are no documented
 * interface, so the version is pinned and every test of the transport goes through them.
 */
declare module 'undici/lib/dispatcher/pool.js' {
  import type { Pool as DocumentedPool } from 'undici';
  const Pool: typeof DocumentedPool;
  // oxlint-disable-next-line import/no-default-export
  export default Pool;
}

declare module 'undici/lib/api/api-request.js' {
  import type { Dispatcher } from 'undici';
  function request(this: Dispatcher, options: Dispatcher.RequestOptions): Promise<Dispatcher.ResponseData>;
  // oxlint-disable-next-line import/no-default-export
  export default request;
}
