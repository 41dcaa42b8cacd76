import type { UnitStatus } from '@sbox/protocol';

/** A unit that runs, of which there is nothing to tell. */
export const plainUnitStatus: UnitStatus = {
  name: 'edge',
  state: 'running',
  pid: 7,
  digest: null,
  started_at: null,
  restarts: 0,
  listens: [],
  probe: null,
  message: '',
};
