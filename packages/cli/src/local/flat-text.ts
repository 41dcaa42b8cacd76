import { redact } from '@sbox/core';
import { isRecord } from './document-file.ts';

/**
 * A document as lines `outbounds[select].type = "selector"`: things with tags are called by them, so that one more in
 * front of them changes nothing.
 */
function flatLines(value: unknown, reveal: boolean): Map<string, string> {
  const lines = new Map<string, string>();
  add(reveal ? value : redact(value), '', lines);
  return lines;
}

function add(value: unknown, at: string, lines: Map<string, string>): void {
  const children = childrenOf(value, at);
  if (children === undefined) lines.set(at, JSON.stringify(value));
  else for (const [place, child] of children) add(child, place, lines);
}

function childrenOf(value: unknown, at: string): readonly (readonly [string, unknown])[] | undefined {
  if (Array.isArray(value) && value.some((item) => typeof item === 'object')) {
    return value.map((item: unknown, index) => {
      const tag: unknown = isRecord(item) ? item['tag'] : undefined;
      return [`${at}[${typeof tag === 'string' ? tag : index}]`, item];
    });
  }
  if (!isRecord(value) || Object.keys(value).length === 0) return undefined;
  return Object.entries(value).map(([key, child]) => [at === '' ? key : `${at}.${key}`, child]);
}

/** Lines that only one of two documents has, in the order of the paths. */
export function flatDiff(before: unknown, after: unknown, reveal: boolean): string[] {
  const [old, now] = [flatLines(before, reveal), flatLines(after, reveal)];
  const paths = [...new Set([...old.keys(), ...now.keys()])];
  return paths.flatMap((path) => {
    const [was, is] = [old.get(path), now.get(path)];
    if (was === is) return [];
    return [...(was === undefined ? [] : [`- ${path} = ${was}`]), ...(is === undefined ? [] : [`+ ${path} = ${is}`])];
  });
}
