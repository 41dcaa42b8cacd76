import { existsSync } from 'node:fs';
import path from 'node:path';

/** How this checkout starts its own programs. */
export interface Programs {
  readonly node: string;
  readonly sboxmgr: readonly string[];
  readonly sboxagent: readonly string[];
  /** The demo provider; absent outside a checkout. */
  readonly provider: readonly string[] | undefined;
}

export function findPrograms(node: string): Programs {
  const root = path.join(import.meta.dirname, '../../../..');
  const provider = path.join(root, 'examples/provider/main.ts');
  return {
    node,
    sboxmgr: [path.join(root, 'packages/cli/src/main.ts')],
    sboxagent: [path.join(root, 'packages/agent/src/main.ts')],
    provider: existsSync(provider) ? [provider] : undefined,
  };
}
