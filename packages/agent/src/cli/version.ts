import { version } from '../version.ts';
import type { Call } from './command.ts';
import { findEngine } from './find-engine.ts';

/** `sboxagent version` */
export async function versionCommand(call: Call): Promise<void> {
  const engine = await findEngine(call);
  const engines = engine ? [{ kind: engine.kind, version: engine.version, path: engine.path, tags: engine.tags }] : [];
  call.out.thing(
    { version, engines },
    () => `sboxagent ${version}\nsing-box  ${engine ? `${engine.version}  ${engine.path}` : 'not found'}`,
  );
}
