import { printGeneration } from '@sbox/core';
import type { Call } from './command.ts';
import { openLocalClient } from './local-client.ts';

/** `sboxagent config show` */
export async function showCommand(call: Call): Promise<void> {
  const { items } = await (await openLocalClient(call)).config();
  call.out.thing({ items }, () =>
    items.length === 0
      ? 'nothing runs'
      : items
          .map(
            ({ unit, digest, config }) =>
              `# ${unit}  ${digest}\n${config === null ? '# too large to be shown' : JSON.stringify(config, undefined, 2)}`,
          )
          .join('\n'),
  );
}

/** `sboxagent config history` */
export async function historyCommand(call: Call): Promise<void> {
  const { items } = await (await openLocalClient(call)).history();
  const rows = items.map((entry) => [
    printGeneration(entry),
    entry.state,
    entry.source,
    entry.at,
    entry.units
      .map(({ name, config_id: config, version, digest }) =>
        config === null ? `${name}=${shortDigest(digest)}` : `${name}=${config}@${version ?? '?'}`,
      )
      .join(' '),
    entry.code === null ? '' : `${entry.code}: ${entry.message ?? ''}`,
  ]);
  call.out.thing({ items }, () => call.out.table(['GENERATION', 'STATE', 'SOURCE', 'AT', 'UNITS', 'REASON'], rows));
}

/** Of a plain file, which has no id: the beginning is enough to tell two apart. */
const shortDigest = (digest: string): string => digest.replace(/^sha256:/, '').slice(0, 12);

/** `sboxagent config rollback` */
export async function rollbackCommand(call: Call): Promise<void> {
  const entry = await (await openLocalClient(call)).rollback();
  call.out.thing(
    entry,
    () =>
      `runs ${printGeneration(entry)} again, held until the manager has something newer, or: sboxagent config release`,
  );
}

/** `sboxagent config release` */
export async function releaseCommand(call: Call): Promise<void> {
  const released = await (await openLocalClient(call)).release();
  call.out.thing(released, () => `not held any more (${released.reason}): orders are taken again`);
}
