import type { Collector } from '../collector.ts';
import type { Limits } from '../limits.ts';
import type { NodeDraft } from '../node.ts';
import { decodeBase64 } from '../text/base64.ts';
import type { CommaFields } from './comma-fields.ts';
import { forEachIniLine, refuseLongLine, splitAssignment, type IniLine } from './ini.ts';
import { lineNotNodes, lineTypes } from './surge-fields.ts';
import { readSurgeLine, type LineContext } from './surge-line.ts';

/** `[Proxy]` of a configuration of Surge, Surfboard or Loon. */
export function readSurge(text: string, collector: Collector, limits: Limits): void {
  const lines: IniLine[] = [];
  const wireguard = new Map<string, CommaFields>();
  const keys = new Map<string, string>();
  forEachIniLine(text, (line) => {
    if (line.section === 'proxy') lines.push(line);
    else if (line.section.startsWith('wireguard ')) addSetting(wireguard, line);
    else if (line.section === 'keystore') addKey(keys, line.text);
    else if (line.section === 'proxy group') {
      const name = splitAssignment(line.text)?.[0];
      if (name !== undefined) collector.addOther(name, 'a group');
    }
  });
  for (const line of lines) addLine(line, collector, { limits, context: { wireguard, keys } });
}

function addLine(
  { text, number }: Pick<IniLine, 'text' | 'number'>,
  collector: Collector,
  { limits, context }: { limits: Limits; context: LineContext },
): void {
  const [, name = '', type = ''] = /^([^=]*?)\s*=\s*([\w-]+)/.exec(text) ?? [];
  if (lineNotNodes.has(type.toLowerCase())) {
    collector.addOther(name, 'no proxy');
    return;
  }
  const read = (): NodeDraft => {
    refuseLongLine(text, limits);
    return readSurgeLine(text, context);
  };
  collector.add(number, text, read, splitAssignment(text)?.[0]);
}

const lineStart = /^[^=\n]{1,256}?=\s*([\w-]+)\s*,/;

/** A line of `[Proxy]`, wherever it stands. */
export function isSurgeLine(line: string): boolean {
  const type = lineStart.exec(line)?.[1]?.toLowerCase();
  return type !== undefined && (lineTypes.has(type) || type === 'external');
}

/** Loon writes secrets without a key and in quotes, or has the peers of WireGuard in the line. */
export const isLoonLine = (line: string): boolean =>
  isSurgeLine(line) && (/^[^=]+=\s*\w+\s*,[^,=]+,[^,=]+,(?:[^,="]+,)?\s*"/.test(line) || /,\s*peers\s*=/.test(line));

/** Each setting of `[WireGuard name]` has a line of its own. */
function addSetting(sections: Map<string, CommaFields>, { section, text }: IniLine): void {
  const name = section.slice('wireguard '.length).trim();
  const pair = splitAssignment(text);
  if (pair === undefined) return;
  const known = sections.get(name);
  sections.set(name, { plain: [], hasQuotedPlain: false, pairs: [...(known?.pairs ?? []), unquoted(pair)] });
}

const unquoted = ([key, value]: readonly [string, string]): readonly [string, string] => [
  key,
  value.trim().replace(/^"(.*)"$/, '$1'),
];

/** `name = type = openssh-private-key, base64 = ...`. */
function addKey(keys: Map<string, string>, text: string): void {
  const [name, rest] = splitAssignment(text) ?? [];
  if (name === undefined || rest === undefined) return;
  const base64 = /(?:^|,)\s*base64\s*=\s*"?([\w+/=-]*)/.exec(rest)?.[1];
  const pem = base64 === undefined ? undefined : decodeBase64(base64);
  if (pem !== undefined) keys.set(name.toLowerCase(), pem);
}
