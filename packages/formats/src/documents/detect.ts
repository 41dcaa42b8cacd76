import { ProblemError } from '@sbox/core';
import { decodeBase64 } from '../text/base64.ts';
import { readClash } from './clash.ts';
import type { DocumentFormat, ReadDocument } from './document.ts';
import { readLinkList } from './link-list.ts';
import { isQuantumultXLine, readQuantumultX } from './quantumult-x.ts';
import { readSingBox } from './sing-box.ts';
import { readSip008 } from './sip008.ts';
import { isLoonLine, isSurgeLine, readSurge } from './surge.ts';
import { readWgQuick } from './wg-quick.ts';
import { readXray } from './xray.ts';

/** What a form is recognised by; all patterns are anchored and run in one pass, whatever the text. */
interface Sight {
  readonly text: string;
  /** The beginning without blanks. */
  readonly head: string;
  readonly isJson: boolean;
  /** The first line that is no comment. */
  readonly firstLine: string;
}

interface DocumentForm {
  readonly format: DocumentFormat;
  readonly matches: (sight: Sight) => boolean;
  readonly read: ReadDocument;
}

const isXray = (text: string): boolean =>
  /"protocol"\s*:/.test(text) && /"(?:settings|streamSettings)"\s*:/.test(text) && !/"server_port"\s*:/.test(text);

/** The forms of a document, in the order in which they are asked. */
const forms: readonly DocumentForm[] = [
  { format: 'xray', matches: ({ isJson, text }) => isJson && isXray(text), read: readXray },
  {
    format: 'sing-box',
    matches: ({ isJson, text }) => isJson && /"(?:outbounds|endpoints)"\s*:/.test(text),
    read: readSingBox,
  },
  { format: 'clash', matches: ({ isJson, text }) => isJson && /"proxies"\s*:/.test(text), read: readClash },
  {
    format: 'sip008',
    matches: ({ isJson, text }) =>
      isJson && /"server_port"\s*:/.test(text) && (/"servers"\s*:\s*\[/.test(text) || !/"type"\s*:/.test(text)),
    read: readSip008,
  },
  { format: 'sing-box', matches: ({ isJson, text }) => isJson && /"server_port"\s*:/.test(text), read: readSingBox },
  { format: 'ssd', matches: ({ head }) => /^ssd:\/\//i.test(head), read: readLinkList },
  // The usual case is decided by its first line; what follows looks through the whole text.
  { format: 'links', matches: ({ firstLine }) => /^[a-z][a-z0-9+.-]{0,30}:\/\//i.test(firstLine), read: readLinkList },
  {
    format: 'clash',
    matches: ({ text }) => /^["']?(?:proxies|proxy-providers|Proxy)["']?[ \t]*:/m.test(text),
    read: readClash,
  },
  { format: 'wg-quick', matches: ({ text }) => /^[ \t]*\[interface\][ \t]*$/im.test(text), read: readWgQuick },
  { format: 'quantumult-x', matches: ({ text }) => /^[ \t]*\[server_local\]/im.test(text), read: readQuantumultX },
  { format: 'loon', matches: ({ text }) => hasProxySection(text) && isLoon(text), read: readSurge },
  { format: 'surge', matches: ({ text }) => hasProxySection(text), read: readSurge },
  { format: 'links', matches: ({ text }) => /^[ \t]*[a-z][a-z0-9+.-]{0,30}:\/\//im.test(text), read: readLinkList },
  { format: 'clash', matches: isListOfClashLines, read: readLinkList },
  {
    format: 'clash',
    matches: ({ head }) => /^(?:-\s+(?:\{|["']?(?:name|type)\b)|\{|\[\s*\{)/.test(head) && clashKeys.test(head),
    read: readClash,
  },
  { format: 'quantumult-x', matches: ({ firstLine }) => isQuantumultXLine(firstLine), read: readLinkList },
  { format: 'loon', matches: ({ firstLine }) => isLoonLine(firstLine), read: readLinkList },
  { format: 'surge', matches: ({ firstLine }) => isSurgeLine(firstLine), read: readLinkList },
];

const hasProxySection = (text: string): boolean => /^[ \t]*\[proxy\][ \t]*$/im.test(text);
/** Sections that only Loon has. */
const isLoon = (text: string): boolean =>
  /^[ \t]*\[(?:remote proxy|remote filter|proxy chain|remote rule|remote script|plugin)\][ \t]*$/im.test(text);

const maxHeadLength = 4_096;

function look(text: string): Sight {
  const head = text.trimStart().slice(0, maxHeadLength);
  return {
    text,
    head,
    isJson: /^(?:\s|\/\/[^\n]*\n|\/\*[^]*?\*\/)*[{[]\s*(?:["{}[\]/-]|$)/.test(head),
    firstLine: /^[ \t]*(?!#|;|\/\/)(\S.*)$/m.exec(head)?.[1]?.trimEnd() ?? '',
  };
}

/** Each line one proxy as JSON. */
function isListOfClashLines({ head }: Sight): boolean {
  const [first = ''] = head.split(/[\r\n]/, 1);
  return /^\{.*\},?$/.test(first.trimEnd()) && clashKeys.test(first);
}

/** Without any of these a map is no proxy. */
const clashKeys = /["']?\b(?:name|type|server)["']?\s*:/;

const maxBase64Layers = 2;
const html = /^(?:<!--[^]*?-->\s*)*<(?:!doctype|html|head|body|\?xml|meta|script|title)\b/i;
/** How gzip and Zstandard begin in base64. */
const compressedBase64 = /^(?:H4sI|KLUv\/)/;

export interface Detected {
  readonly format: DocumentFormat;
  readonly text: string;
  readonly read: ReadDocument;
}

/**
 * Finds out what a subscription is, through at most two layers of base64.
 * @throws ProblemError `subscription.html`, `.empty`, `.compressed`, `.unknown-format`
 */
export function detectDocument(source: string): Detected {
  let text = source;
  for (let layer = 0; layer <= maxBase64Layers; layer += 1) {
    const sight = look(text);
    refuseEmptyAndHtml(sight);
    const form = forms.find(({ matches }) => matches(sight));
    if (form !== undefined) return { format: layer === 0 ? form.format : 'base64', text, read: form.read };
    if (compressedBase64.test(sight.head))
      throw new ProblemError('subscription.compressed', 'it is base64 of compressed data');
    const decoded = decodeBase64(withoutGuard(text));
    if (decoded === undefined) break;
    text = decoded.startsWith('\ufeff') ? decoded.slice(1) : decoded;
  }
  throw new ProblemError(
    'subscription.unknown-format',
    'it is no list of links, no base64 of one, and no configuration of a known program',
  );
}

/** Lines of facts about the plan, and a sign that some panels put there so that only certain clients read on. */
const guard = /^\ufeff?(?:\s*(?:#|;|\/\/)[^\r\n]*[\r\n]){0,100}\s*(?:🔥\s*)?\ufeff?/u;
const withoutGuard = (text: string): string => text.replace(guard, '');

function refuseEmptyAndHtml({ head, text }: Sight): void {
  if (html.test(head)) throw new ProblemError('subscription.html', 'an HTML page came instead of a subscription');
  if (!/^[ \t]*(?!#|;|\/\/)\S/m.test(text))
    throw new ProblemError('subscription.empty', 'there is no line with content');
}
