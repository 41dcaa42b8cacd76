import type { ASTNode } from '@marcbachmann/cel-js';
import { PolicyNode, serialize } from './environment.ts';
import type { ExpressionContext } from './expression-context.ts';

/** A node, or a part of the config with the path to it. */
export type BlamedPlace =
  | { readonly node: { readonly id: string; readonly tag: string; readonly subscription: string } }
  | { readonly path: string; readonly tag?: string };

/** What made an expression false, as far as that can be told. */
export interface Blame {
  readonly places: readonly BlamedPlace[];
  /** How many there are that are not named. */
  readonly more: number;
}

const maxPlaces = 100;

/** Renditions mostly differ in nothing that a policy asks for: what is said of two is said once. */
export function joinBlames(blames: readonly Blame[]): Blame | undefined {
  const [one] = blames;
  if (one === undefined || blames.length === 1) return one;
  const places = new Map(blames.flatMap((blame) => blame.places).map((place) => [JSON.stringify(place), place]));
  const named = [...places.values()].slice(0, maxPlaces);
  return { places: named, more: Math.max(places.size - named.length, ...blames.map(({ more }) => more)) };
}

type Run = (text: string, context: ExpressionContext) => unknown;

/**
 * Most policies say `LIST.all(x, …)` or `!LIST.exists(x, …)`, of which the same list filtered by the opposite are those
 * that are wrong; of `a && b` it is the side that is false.
 */
export function findBlame(ast: ASTNode, context: ExpressionContext, run: Run): Blame {
  const wrong = wrongIn(ast, (part) => run(part, context));
  const paths = wrong.some((one) => !(one instanceof PolicyNode)) ? pathsIn(context.variables.config) : new Map();
  const places = [...new Set(wrong)].flatMap((one): BlamedPlace[] => {
    if (one instanceof PolicyNode) return [{ node: { id: one.id, tag: one.name, subscription: one.subscription } }];
    const path = paths.get(one) as string | undefined;
    if (path === undefined) return [];
    const { tag } = one as { tag?: unknown };
    return [typeof tag === 'string' ? { path, tag } : { path }];
  });
  return { places: places.slice(0, maxPlaces), more: Math.max(0, places.length - maxPlaces) };
}

function wrongIn(ast: ASTNode, run: (part: string) => unknown): unknown[] {
  if (ast.op === '&&') {
    return ast.args.flatMap((side) => (run(serialize(side)) === false ? wrongIn(side, run) : []));
  }
  const isNot = ast.op === '!_';
  const call = isNot ? ast.args : ast;
  if (call.op !== 'rcall' || call.args[0] !== (isNot ? 'exists' : 'all')) return [];
  const [, list, [variable, condition]] = call.args;
  if (variable?.op !== 'id' || condition === undefined) return [];
  const wanted = isNot ? serialize(condition) : `!(${serialize(condition)})`;
  const found = run(`(${serialize(list)}).filter(${variable.args}, ${wanted})`);
  return Array.isArray(found) ? (found as unknown[]) : [];
}

/** The path of every object of the document. */
function pathsIn(document: unknown): ReadonlyMap<unknown, string> {
  const paths = new Map<unknown, string>();
  const walk = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    paths.set(value, path);
    if (Array.isArray(value)) for (const [index, item] of value.entries()) walk(item, `${path}[${index}]`);
    else for (const [key, item] of Object.entries(value)) walk(item, path === '' ? key : `${path}.${key}`);
  };
  walk(document, '');
  return paths;
}
