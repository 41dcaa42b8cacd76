import type { Bounds } from '@sbox/protocol';
import { text, texts, type Call, type OptionRow } from '../command.ts';

/** Where a new thing belongs, or a thing is moved to. */
export const projectOption: OptionRow = { flags: '--project <name>', summary: 'the project that it belongs to' };
/** What a list shows. */
export const ofProject: OptionRow = { flags: '--project <name>', summary: 'only of this project', preset: 'all' };

export const boundsOptions: readonly OptionRow[] = [
  { flags: '--project <name...>', summary: 'hold to things of this project; repeat for several' },
  { flags: '--servers <selector>', summary: 'hold to servers with these labels, as region=eu,role in (edge,exit)' },
];

export const projectOf = (call: Call): { readonly project?: string } => {
  const project = text(call, 'project');
  return project === undefined ? {} : { project };
};

/** Undefined where the call names none. */
export function boundsOf(call: Call): Bounds | undefined {
  const [projects, servers] = [texts(call, 'project'), text(call, 'servers')];
  if (projects.length === 0 && servers === undefined) return undefined;
  return {
    ...(projects.length === 0 ? {} : { projects: [...projects] }),
    ...(servers === undefined ? {} : { servers }),
  };
}

/** For people: null where there are none. */
export const boundsText = (
  bounds: { readonly projects?: readonly string[] | undefined; readonly servers?: string | undefined } | null,
): string | null => {
  if (bounds === null) return null;
  const { projects, servers } = bounds;
  const parts = [
    ...(projects === undefined ? [] : [`projects ${projects.join(', ') || 'none'}`]),
    ...(servers === undefined ? [] : [`servers ${servers}`]),
  ];
  return parts.join('; ');
};
