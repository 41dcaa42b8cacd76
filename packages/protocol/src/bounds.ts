import * as z from 'zod/mini';
import { named, nameSchema, pageQuery } from './schema.ts';
import {
  matchesSelector,
  parseSelector,
  printSelector,
  selectorSchema,
  type Labels,
  type Requirement,
  type Selector,
} from './selector.ts';

/** Where things belong that nobody put anywhere; configs of every project may use what is there. */
export const defaultProject = 'default';

/** For what people write: a field left out is `default`. */
export const projectSchema = z._default(nameSchema, defaultProject);

/** A page of one project, or of all. */
export const projectQuery = z.extend(pageQuery, { project: z.optional(nameSchema) });

export const boundsSchema = named(
  'Bounds',
  'What a person or a token is held to: things of these projects, and servers with these labels. What is not said is free.',
  z
    .strictObject({
      projects: z.optional(z.array(nameSchema).check(z.minLength(1), z.maxLength(100))),
      /** A selector over labels. */
      servers: z.optional(selectorSchema.check(z.minLength(1))),
    })
    .check(
      z.refine(({ projects, servers }) => projects !== undefined || servers !== undefined, 'needs projects or servers'),
    ),
);

/** As they are written. */
export type Bounds = z.output<typeof boundsSchema>;

/** As they are asked. */
export interface HeldBounds {
  readonly projects?: ReadonlySet<string>;
  readonly servers?: Selector;
}

/** Where something is: a thing is of a project, a server has labels, a deployment is of both. Empty: everywhere. */
export interface Extent {
  readonly projects?: readonly string[];
  readonly servers?: readonly Labels[];
}

/** Whether somebody with these bounds meets a thing; who has none meets everything. */
export function isWithin(bounds: HeldBounds | undefined, { projects = [], servers = [] }: Extent): boolean {
  const { projects: own, servers: selector } = bounds ?? {};
  return (
    projects.every((project) => own === undefined || own.has(project)) &&
    servers.every((labels) => selector === undefined || matchesSelector(selector, labels))
  );
}

/** Nothing: for what cannot be read. */
const nothing: HeldBounds = { projects: new Set(), servers: [{ label: '', operator: 'in', values: [] }] };

/** Bounds as JSON; null are none. Text that this version cannot read holds to nothing at all. */
export function readBounds(stored: string | null): HeldBounds | undefined {
  if (stored === null) return undefined;
  try {
    return holdTo(z.parse(boundsSchema, JSON.parse(stored)));
  } catch {
    return nothing;
  }
}

export const holdTo = ({ projects, servers }: Bounds): HeldBounds => ({
  ...(projects === undefined ? {} : { projects: new Set(projects) }),
  ...(servers === undefined ? {} : { servers: parseSelector(servers) }),
});

/** For people, and for storing. */
export const showBounds = ({ projects, servers }: HeldBounds): Bounds => ({
  ...(projects === undefined ? {} : { projects: [...projects].toSorted() }),
  ...(servers === undefined ? {} : { servers: printSelector(servers) }),
});

/** What lies in both. */
export function narrow(a: HeldBounds | undefined, b: HeldBounds | undefined): HeldBounds | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const projects = a.projects && b.projects ? meet(a.projects, b.projects) : (a.projects ?? b.projects);
  const servers = a.servers && b.servers ? both(a.servers, b.servers) : (a.servers ?? b.servers);
  return { ...(projects ? { projects } : {}), ...(servers ? { servers } : {}) };
}

const meet = (a: ReadonlySet<string>, b: ReadonlySet<string>) => new Set([...a].filter((one) => b.has(one)));
/** Every condition once. */
const both = (a: Selector, b: Selector): Selector => [
  ...a,
  ...b.filter((one) => !a.some((other) => printSelector([other]) === printSelector([one]))),
];

/**
 * Whether whoever is held to `inner` meets nothing that `outer` keeps away. Sound and not complete: what would have to be
 * proved with several conditions together counts as wider.
 */
export function areWithin(inner: HeldBounds | undefined, outer: HeldBounds | undefined): boolean {
  if (outer === undefined) return true;
  const { projects, servers } = inner ?? {};
  const all = outer.projects;
  const isNarrow = all === undefined || (projects !== undefined && [...projects].every((one) => all.has(one)));
  return isNarrow && (outer.servers ?? []).every((wide) => servers?.some((own) => implies(own, wide)) === true);
}

const isPart = (some: readonly string[], all: readonly string[]): boolean => some.every((one) => all.includes(one));

/** By what is asked of a label: whether a condition on the same label makes sure of it. */
const follows: Readonly<Record<Requirement['operator'], (own: Requirement, wide: Requirement) => boolean>> = {
  in: (own, wide) => own.operator === 'in' && isPart(own.values, wide.values),
  'not-in': (own, wide) =>
    own.operator === 'not-exists' ||
    (own.operator === 'not-in' && isPart(wide.values, own.values)) ||
    (own.operator === 'in' && !own.values.some((value) => wide.values.includes(value))),
  exists: (own) => own.operator === 'exists' || own.operator === 'in',
  'not-exists': (own) => own.operator === 'not-exists',
};

/** Whether the second condition holds wherever the first one does. */
const implies = (own: Requirement, wide: Requirement): boolean =>
  own.label === wide.label && follows[wide.operator](own, wide);
