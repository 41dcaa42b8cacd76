import { ProblemError } from '@sbox/core';
import type { Json } from '@sbox/engines/sing-box/render';
import type { JsonPatch } from '@sbox/protocol/pipeline';
import { applyPatch, type Operation } from 'rfc6902';
import { uncovers } from './secret-places.ts';

/** An operation may double a document, and so may the next. */
const maxValues = 500_000;
const dangerous = new Set(['__proto__', 'constructor', 'prototype']);

/** As JSON, which patches and documents are: the library takes only plain lists and objects for such. */
const copyOf = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/**
 * The document changed by an RFC 6902 patch, for what its template does not foresee; the given one stays as it is.
 * @throws ProblemError `template.invalid` that names the operation
 */
export function patchDocument(document: Json, patch: JsonPatch): Json {
  const root = { document: copyOf(document) };
  for (const [index, operation] of patch.entries()) {
    const refuse = (reason: string): never => {
      const what = `patch[${index}] (${operation.op} ${operation.path === '' ? 'the document' : operation.path})`;
      throw new ProblemError('template.invalid', `${what}: ${reason}`, { details: { operation: index } });
    };
    const pointers = 'from' in operation ? [operation.path, operation.from] : [operation.path];
    if (pointers.some((pointer) => pointer.split('/').some((step) => dangerous.has(step)))) refuse('not a place');
    const isNew = operation.op === 'add' || operation.op === 'move' || operation.op === 'copy';
    if (!isPlace(root.document, operation.path, isNew)) refuse(noPlace);
    if ('from' in operation && !isPlace(root.document, operation.from, false)) refuse(noPlace);
    if ('from' in operation && uncovers(stepsOf(operation.from), stepsOf(operation.path)))
      refuse('it brings a secret to a place where it would be shown');
    // Below an object of its own, so that the whole document can be replaced too.
    const inside = Object.fromEntries(
      Object.entries(operation).map(([key, value]) => [
        key,
        key === 'path' || key === 'from' ? `/document${String(value)}` : copyOf(value),
      ]),
    );
    const error = apply(root, inside as unknown as Operation);
    // Its own words may hold values, which may be secrets.
    if (error !== undefined) refuse(error.name === 'TestError' ? 'the value there is another one' : noPlace);
    if (operation.op === 'copy' && !isSmall(root.document)) refuse(`the document gets more than ${maxValues} values`);
  }
  const { document: patched } = root;
  if (typeof patched !== 'object' || patched === null || Array.isArray(patched))
    throw new ProblemError('template.invalid', 'the patch leaves no object');
  return patched;
}

const noPlace = 'there is nothing at that place';

const stepsOf = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));

/** The library takes `length` for an index, and what all objects inherit for their own. */
function isPlace(document: unknown, pointer: string, isNew: boolean): boolean {
  const steps = stepsOf(pointer);
  let at = document;
  for (const [index, step] of steps.entries()) {
    const mayMiss = isNew && index === steps.length - 1;
    if (typeof at !== 'object' || at === null) return false;
    if (Array.isArray(at)) {
      if (step === '-') return mayMiss;
      if (!/^(?:0|[1-9]\d{0,8})$/.test(step)) return false;
      if (Number(step) >= at.length) return mayMiss && Number(step) === at.length;
    } else if (!Object.hasOwn(at, step)) return mayMiss;
    at = (at as Readonly<Record<string, unknown>>)[step];
  }
  return true;
}

function apply(root: object, operation: Operation): Error | undefined {
  try {
    return applyPatch(root, [operation])[0] ?? undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error('unknown');
  }
}

function isSmall(document: unknown): boolean {
  const open: unknown[] = [document];
  for (let count = 0; open.length > 0; count += 1) {
    if (count > maxValues) return false;
    const value = open.pop();
    if (typeof value === 'object' && value !== null) for (const item of Object.values(value)) open.push(item);
  }
  return true;
}
