import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { createLineSink, createLogger } from '@sbox/daemon/log';
import { join } from '../identity/join.ts';
import { waysOf } from '../sync/manager-way.ts';
import { arg, text, type Call } from './command.ts';
import { findEngine } from './find-engine.ts';

/** `sboxagent join URL --token-file F [--name N]` */
export async function joinCommand(call: Call): Promise<void> {
  const { host, out } = call;
  const tokenFile = text(call, 'tokenFile');
  if (tokenFile === undefined) {
    throw new ProblemError('command.usage', '--token-file is missing', {
      fix: 'Write the token into a file of mode 0600, then: sboxagent join URL --token-file FILE',
    });
  }
  const settings = await call.settings();
  const engine = await findEngine(call);
  const identity = await join({
    url: arg(call, 0),
    tokenFile: path.resolve(tokenFile),
    name: text(call, 'name'),
    stateDir: path.resolve(settings.state_dir),
    engines: engine ? [{ kind: engine.kind, version: engine.version, tags: [...engine.tags] }] : [],
    ways: waysOf(settings.manager, () => undefined),
    clock: host.clock,
    log: createLogger(createLineSink(host.stderr, host.clock), 'error'),
    signal: host.signal,
  });
  const places = { '--state-dir': text(call, 'stateDir'), '--config': text(call, 'config') };
  const again = Object.entries(places).flatMap(([option, place]) => (place === undefined ? [] : [option, place]));
  out.thing(identity, () =>
    [
      `joined ${identity.manager_urls[0] ?? ''} as ${identity.name} (${identity.server_id})`,
      `next:  ${['sboxagent run', ...again].join(' ')}`,
    ].join('\n'),
  );
}
