import { ProblemError } from '@sbox/core';

/** Aliases can make a small text huge: an item with more settings than this is refused. */
const maxSettings = 512;
const maxDepth = 12;
const maxLength = 64 * 1024;

/**
 * Settings by their path: maps with dots, lists of scalars with commas, lists of maps with numbers.
 * @throws ProblemError `node.malformed` for more settings than a node has, `node.line-too-long` for longer ones
 */
export function flatten(item: object): [string, string][] {
  const settings: [string, string][] = [];
  let length = 0;
  const add = (path: string, text: string): void => {
    length += path.length + text.length;
    if (length > maxLength)
      throw new ProblemError('node.line-too-long', `the proxy is longer than ${maxLength} characters`);
    settings.push([path, text]);
  };
  const visit = (value: unknown, path: string, depth: number): void => {
    if (settings.length >= maxSettings || depth > maxDepth) {
      throw new ProblemError(
        'node.malformed',
        `the proxy has more than ${maxSettings} settings, or is nested too deep`,
      );
    }
    if (typeof value !== 'object' || value === null) {
      const text = scalarText(value);
      if (text !== undefined) add(path, text);
    } else if (Array.isArray(value) && value.every((part) => typeof part !== 'object' || part === null)) {
      add(path, joinScalars(value));
    } else {
      for (const [key, part] of Object.entries(value)) visit(part, path === '' ? key : `${path}.${key}`, depth + 1);
    }
  };
  visit(item, '', 0);
  return settings;
}

const joinScalars = (items: readonly unknown[]): string => items.map((item) => scalarText(item) ?? '').join(',');

/** A plain `null` or `~` means that nothing was set. */
function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '~' || value === 'null' ? undefined : value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}
