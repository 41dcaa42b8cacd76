import type { Call } from './command.ts';
import { openLocalClient } from './local-client.ts';

/** `sboxagent key rotate` */
export async function rotateCommand(call: Call): Promise<void> {
  const rotated = await (await openLocalClient(call)).rotateKey();
  call.out.thing(rotated, () => `the manager knows this server by the key ${rotated.keyid} from now on`);
}
