import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { arg, text } from '../command.ts';
import type { OperatorClient } from '../connection.ts';
import { counted } from '../counted.ts';
import { readBytes } from '../read-file.ts';
import { age, everyPage, withClient } from './remote.ts';

type Build = Awaited<ReturnType<OperatorClient['engines']['add']>>;

const lineOf = ({ kind, version, arch, digest }: Build): string => `${kind} ${version} for ${arch}: ${digest}`;

export const add = withClient(async (client, call) => {
  const body = await readBytes(path.resolve(call.host.cwd, arg(call, 0)));
  const [version, tags] = [text(call, 'as'), text(call, 'tags')];
  const made = await client.engines.add({
    query: { ...(version === undefined ? {} : { version }), ...(tags === undefined ? {} : { tags }) },
    body,
  });
  await call.out.thing(made, () => lineOf(made));
  call.out.talk(`servers get it with: sboxmgr config deploy NAME --engine ${made.version}`);
});

export const list = withClient(async (client, { out, host }) => {
  const items = await everyPage((query) => client.engines.list({ query }));
  if (items.length === 0) out.talk('No engines yet: servers run what they have. Add one: sboxmgr engine add FILE');
  const now = host.clock.now();
  await out.rows(items, [
    { title: 'VERSION', value: ({ version }) => version },
    { title: 'MACHINE', value: ({ arch }) => arch },
    { title: 'SIZE', value: ({ size }) => `${(size / 2 ** 20).toFixed(1)} MiB` },
    { title: 'TAGS', value: ({ tags }) => tags.join(',') },
    { title: 'GIVEN TO', value: ({ servers }) => counted(servers.length, 'server') },
    { title: 'AGE', value: ({ created_at }) => age(created_at, now) },
    { title: 'DIGEST', value: ({ digest }) => digest },
  ]);
});

export const remove = withClient(async (client, call) => {
  const named = arg(call, 0);
  const arch = text(call, 'arch');
  const items = await everyPage((query) => client.engines.list({ query }));
  const found = items.filter(
    (build) => build.digest === named || (build.version === named && (arch === undefined || build.arch === arch)),
  );
  const [only] = found;
  if (only === undefined) throw new ProblemError('engine.build-not-found', `there is no engine ${named}`);
  if (found.length > 1) {
    throw new ProblemError('command.usage', `${named} is there for ${found.map((build) => build.arch).join(', ')}`, {
      fix: `sboxmgr engine remove ${named} --arch ${only.arch}`,
    });
  }
  await client.engines.remove({ params: { digest: only.digest } });
  call.out.talk(`${only.kind} ${only.version} for ${only.arch} is removed`);
});
