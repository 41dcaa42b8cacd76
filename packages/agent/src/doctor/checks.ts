import type { Check } from './check.ts';
import { clockCheck } from './clock.ts';
import { diskCheck } from './disk.ts';
import { engineCheck } from './engine.ts';
import { journalCheck } from './journal.ts';
import { limitsCheck } from './limits.ts';
import { managerCheck } from './manager.ts';
import { nftCheck } from './nft.ts';
import { portsCheck } from './ports.ts';
import { agentCheck } from './service.ts';
import { signatureCheck } from './signature.ts';
import { uplinkCheck } from './uplink.ts';

/** Everything that `sboxagent doctor` looks at, in the order in which it is shown. */
export const checks: readonly Check[] = [
  agentCheck,
  clockCheck,
  diskCheck,
  journalCheck,
  engineCheck,
  portsCheck,
  nftCheck,
  signatureCheck,
  managerCheck,
  uplinkCheck,
  limitsCheck,
];
