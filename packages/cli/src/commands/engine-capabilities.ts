import { capabilities, type Capability } from '@sbox/engines/sing-box/render';
import { text, type Call } from '../command.ts';
import { findTarget } from '../local/engine-target.ts';
import type { Column } from '../out.ts';

const columns: Column<Capability>[] = [
  { title: 'KIND', value: ({ kind }) => kind },
  { title: 'NAME', value: ({ name }) => name },
  { title: 'SINCE', value: ({ since }) => since ?? 'never' },
  { title: 'BUILD TAGS', value: ({ tags }) => tags.join(', ') },
];

/** What engines can run; with an engine or a version, whether that one can. */
export const list = async (call: Call): Promise<void> => {
  if (text(call, 'engine') === undefined && text(call, 'engineVersion') === undefined) {
    await call.out.rows(capabilities(), columns);
    return;
  }
  const { target } = await findTarget(call);
  call.out.talk(`sing-box ${target.version}, build tags ${target.tags.join(', ') || 'none'}`);
  await call.out.rows(capabilities(target), [
    ...columns.slice(0, 2),
    { title: 'RUNS', value: ({ available }) => (available ? 'yes' : 'no') },
    { title: 'WHY', value: ({ reason }) => reason ?? '' },
  ]);
};
