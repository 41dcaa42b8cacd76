import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { arg, flag, text, texts, type Call } from '../command.ts';
import type { OperatorClient } from '../connection.ts';
import { readText } from '../read-file.ts';
import { withClient } from './remote.ts';
import { versionLine } from './version-lines.ts';
import { readVersion } from './version-name.ts';

type Version = Awaited<ReturnType<OperatorClient['configs']['version']>>;

const paramsOf = (call: Call) => ({ id: arg(call, 0), version: String(readVersion(arg(call, 1))) });

export const publish = withClient(async (client, call) => {
  const published = await client.configs.publish({ params: paramsOf(call) });
  await call.out.thing(published, () =>
    call.out.text(`${versionLine(published)}\npublished. Deploy it: sboxmgr config deploy ${arg(call, 0)}`),
  );
});

export const discard = withClient(async (client, call) => {
  const params = paramsOf(call);
  const { version, revision } = await client.configs.version({ params });
  await client.configs.discard({
    params: { ...params, version: String(version) },
    headers: { 'if-match': `"${revision}"` },
  });
  call.out.talk(`draft ${version} was deleted`);
});

type Change = NonNullable<Parameters<OperatorClient['configs']['mark']>[0]['body']>;

async function mark(client: OperatorClient, call: Call, change: (known: Version) => Change): Promise<Version> {
  const known = await client.configs.version({ params: paramsOf(call) });
  return await client.configs.mark({
    params: { id: arg(call, 0), version: String(known.version) },
    headers: { 'if-match': `"${known.revision}"` },
    body: change(known),
  });
}

export const tag = withClient(async (client, call) => {
  const [added, removed] = [call.args.slice(2), texts(call, 'remove')];
  if (added.length === 0 && removed.length === 0)
    throw new ProblemError('command.usage', 'no tag was named', { fix: 'sboxmgr config tag main 7 stable' });
  const marked = await mark(client, call, ({ tags }) => ({
    tags: [...new Set([...tags, ...added])].filter((one) => !removed.includes(one)),
  }));
  await call.out.thing(marked, () => `version ${marked.version}: ${marked.tags.join(', ') || 'no tags'}`);
});

export const note = withClient(async (client, call) => {
  const file = text(call, 'file');
  const words =
    file === undefined ? call.args.slice(2).join(' ') : (await readText(path.resolve(call.host.cwd, file))).trimEnd();
  if (words === '' && !flag(call, 'clear'))
    throw new ProblemError('command.usage', 'nothing was written', {
      fix: 'sboxmgr config note main 7 TEXT   ·   --clear',
    });
  const marked = await mark(client, call, () => ({ notes: words }));
  await call.out.thing(marked, () => `version ${marked.version}: ${marked.notes || 'no notes'}`);
});
