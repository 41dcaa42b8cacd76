import { decodeBase64 } from '../text/base64.ts';
import { cutToBytes, normaliseName } from '../text/names.ts';
import { decodePercent } from '../text/percent.ts';
import type { Metadata } from './metadata.ts';
import { readUserinfo } from './plan-usage.ts';

type Field = Exclude<keyof Metadata, 'notices'>;
type ReadField = (value: string) => Metadata[Field] | undefined;

const maxAnnounceBytes = 2_048;
const maxUrlLength = 2_048;
const maxHours = 24 * 366;

/** The headers that clients of the field read, and what each becomes. */
const fields = new Map<string, readonly [Field, ReadField]>([
  ['subscription-userinfo', ['usage', readUserinfo]],
  ['profile-title', ['title', (value) => normaliseName(plainText(value)) || undefined]],
  ['plan-name', ['plan_name', (value) => normaliseName(plainText(value)) || undefined]],
  ['profile-update-interval', ['update_interval_hours', readHours]],
  ['profile-web-page-url', ['web_page_url', readUrl]],
  ['support-url', ['support_url', readUrl]],
  ['announce', ['announce', (value) => announcement(plainText(value))]],
  ['announce-url', ['announce_url', readUrl]],
  ['content-disposition', ['file_name', readFileName]],
  ['moved-permanently-to', ['moved_to', readUrl]],
  ['new-url', ['moved_to', readUrl]],
]);

/** Reads the headers of an answer; names in any case, unknown and unreadable ones are passed over. */
export function readMetadataHeaders(headers: Iterable<readonly [string, string]>): Metadata {
  const metadata: Partial<Record<Field, Metadata[Field]>> = {};
  for (const [name, value] of headers) {
    const row = fields.get(name.toLowerCase());
    if (row === undefined) continue;
    const [field, read] = row;
    const found = read(value.trim());
    if (found !== undefined) metadata[field] ??= found;
  }
  return { ...metadata, notices: [] } as Metadata;
}

const maxHeadLines = 100;
const commentLine = /^\s*(?:#|\/\/|;)\s*([a-z-]{3,40})\s*:\s*(.*)$/i;
/** Surge names the seconds between two updates beside its address. */
const managedLine = /^#!MANAGED-CONFIG\s.*\binterval=(\d{1,9})\b/i;

/** The same facts as comments before the content (`#profile-title: ...`, `//profile-update-interval: 12`). */
export function readMetadataLines(text: string): Metadata {
  const found: [string, string][] = [];
  for (const line of text.slice(0, 64 * 1024).split(/\r\n?|\n/, maxHeadLines)) {
    const [, name, value] = commentLine.exec(line) ?? [];
    const [, seconds] = managedLine.exec(line) ?? [];
    if (name !== undefined && value !== undefined) found.push([name, value]);
    if (seconds !== undefined) found.push(['profile-update-interval', String(Number(seconds) / 3_600)]);
    if (line.trim() !== '' && !/^\s*(?:#|\/\/|;)/.test(line)) break;
  }
  return readMetadataHeaders(found);
}

const beyondAscii = /[\u0080-\u00ff]/;
const beyondLatin1 = /[\u0100-\uffff]/;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** `base64:...`, or the text itself; HTTP libraries hand UTF-8 out as single bytes. */
function plainText(value: string): string {
  const encoded = /^base64:\s*(.*)$/is.exec(value)?.[1];
  if (encoded !== undefined) return decodeBase64(encoded) ?? '';
  if (!beyondAscii.test(value) || beyondLatin1.test(value)) return value;
  try {
    return utf8.decode(Uint8Array.from(value, (character) => character.charCodeAt(0)));
  } catch {
    return value;
  }
}

/** Longer than a name, and line by line, but as safe as one. */
function announcement(text: string): string | undefined {
  const lines = cutToBytes(text.toWellFormed(), maxAnnounceBytes).split(/\r\n?|\n/);
  return (
    lines
      .map(normaliseName)
      .filter((line) => line !== '')
      .join(' ') || undefined
  );
}

function readHours(value: string): number | undefined {
  const hours = /^\d{1,6}(?:\.\d{1,9})?$/.test(value) ? Number(value) : 0;
  return hours > 0 && hours <= maxHours ? hours : undefined;
}

/** Only http(s): other schemes start programs. */
function readUrl(value: string): string | undefined {
  if (value.length > maxUrlLength || !URL.canParse(value)) return undefined;
  const { protocol, href } = new URL(value);
  return protocol === 'https:' || protocol === 'http:' ? href : undefined;
}

/** RFC 6266: `filename*=UTF-8''...` goes before `filename`. */
function readFileName(value: string): string | undefined {
  const short = value.slice(0, 1_024);
  const extended = /filename\*\s*=\s*(?:UTF-8|ISO-8859-1)?'[^']*'([^;\s]+)/i.exec(short)?.[1];
  const plain = /filename\s*=\s*(?:"([^"]*)"|([^;\s]+))/i.exec(short);
  const name = extended === undefined ? plainText(plain?.[1] ?? plain?.[2] ?? '') : decodePercent(extended);
  return normaliseName(name) || undefined;
}
