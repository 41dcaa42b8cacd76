import { operatorContract, reachOf, routesOf, type Route } from '@sbox/protocol';
import { day } from './first-day.ts';
import { engineProgram } from './engine-program.ts';
import type { createTransport } from './open-manager.ts';
import { sendExample } from './send-example.ts';

export type Send = ReturnType<typeof createTransport>;

export const operatorRoutes: readonly Route[] = routesOf(operatorContract);

/** The first part of the address says what an operation is about, the first parameter names it. */
const addressed = /^\/api\/v1\/([\w-]+)\/\{(\w+)\}/;
/** Numbers that count up in every tenant name nothing that could be somebody else's; roles are nobody's. */
const countedUp: ReadonlySet<string> = new Set(['audit']);
/** Named by what sbox brings along. */
const scopes: ReadonlySet<string> = new Set(['settings']);

/** What an operation is about, and the parameter that names it; undefined for one that names nothing. */
export function subjectOf({ path }: Route): { readonly kind: string; readonly param: string } | undefined {
  const [, kind = '', param = ''] = addressed.exec(path) ?? [];
  return param === '' || countedUp.has(kind) || scopes.has(kind) ? undefined : { kind, param };
}

/** What there is of each kind, under all its names. */
export type Names = ReadonlyMap<string, readonly string[]>;

const makes = (id: string): boolean => /^(create|add)[A-Z]|^deployConfig$/.test(id);

/** One thing of every kind, made as on the first day; `token` may do everything. */
export async function makeOneOfEach(send: Send): Promise<Names> {
  const names = new Map<string, readonly string[]>();
  const filled: Record<string, string> = {};
  for (const id of day.filter(makes)) {
    const known = operatorRoutes.find((one) => one.id === id) as Route;
    const route = id === 'addEngine' ? { ...known, example: { ...known.example, body: engineProgram().bytes } } : known;
    const { status, body } = await sendExample(send, route, filled);
    if (status >= 300) throw new Error(`${id}: ${status} ${Buffer.from(body).toString()}`);
    const made = JSON.parse(Buffer.from(body).toString()) as Record<string, unknown>;
    const [, kind = ''] = /^\/api\/v1\/([\w-]+)/.exec(id === 'deployConfig' ? '/api/v1/deployments' : route.path) ?? [];
    const own = [made['id'], made['name'], made['digest']].filter((name) => typeof name === 'string');
    names.set(kind, [...(names.get(kind) ?? []), ...own]);
    const [first] = own;
    if (first !== undefined) filled[kind.replace(/s$/, '')] = first;
  }
  return names;
}

/** What came back, as far as it could tell one name from another. */
export async function ask(
  send: Send,
  route: Route,
  name: string,
): Promise<{ readonly status: number; readonly body: string }> {
  const { status, body } = await sendExample(send, route, {});
  const text = Buffer.from(body).toString();
  if (status < 400) return { status, body: text };
  const { instance = '' } = JSON.parse(text) as { readonly instance?: string };
  return { status, body: text.replaceAll(name, 'NAME').replaceAll(instance, 'REQUEST') };
}

/** Where the body says the name once more, it says the same. */
function withParam(route: Route, param: string, name: string): Route {
  const { params, body } = route.example;
  const said = JSON.stringify(params?.[param]);
  const sameBody: unknown = body && JSON.parse(JSON.stringify(body).replaceAll(said, JSON.stringify(name)));
  return { ...route, example: { ...route.example, params: { ...params, [param]: name }, body: sameBody } };
}

/** The same request with another thing in its body or its query. */
function withName(route: Route, at: string, name: string): Route {
  const [part = '', ...keys] = at.split('.');
  const put = (value: unknown, [key, ...rest]: readonly string[]): unknown => {
    if (key === undefined) return at.endsWith('s') ? [name] : name;
    const object = (value ?? {}) as Readonly<Record<string, unknown>>;
    return { ...object, [key]: put(object[key], rest) };
  };
  return { ...route, example: { ...route.example, [part]: put(route.example[part as 'body'], keys) } };
}

const pathOfKind: Readonly<Record<string, string>> = {
  subscription: 'subscriptions',
  template: 'templates',
  config: 'configs',
  server: 'servers',
  deployment: 'deployments',
  token: 'tokens',
};

export interface Naming {
  /** What is named where. */
  readonly at: string;
  readonly route: Route;
  /** Of something that is somebody else's. */
  readonly name: string;
  /** The same request with a name that nobody has. */
  readonly unknown: Route;
}

export const nobodys = 'nobody-has-this-name';

/** Every way to name somebody else's things in an operation: in its address, and elsewhere in the request. */
export function namingsOf(route: Route, names: Names): readonly Naming[] {
  const subject = subjectOf(route);
  const inPath = (subject ? (names.get(subject.kind) ?? []) : []).map((name) => ({
    at: `${route.id} in its address`,
    route: withParam(route, subject?.param ?? '', name),
    name,
    unknown: withParam(route, subject?.param ?? '', nobodys),
  }));
  // Its own subject has no name that could be taken for the other one.
  const alone = subject ? withParam(route, subject.param, 'the-subject') : route;
  const elsewhere = (reachOf(route)?.names ?? [])
    .filter(({ at, kind }) => !at.startsWith('params.') && kind in pathOfKind)
    .flatMap(({ at, kind }) =>
      (names.get(pathOfKind[kind] ?? '') ?? []).map((name) => ({
        at: `${route.id} ${at}`,
        route: withName(alone, at, name),
        name,
        unknown: withName(alone, at, nobodys),
      })),
    );
  return [...inPath, ...elsewhere];
}
