import { ProblemError } from '@sbox/core';
import { decodeBase64 } from '../text/base64.ts';
import { readClash } from './clash.ts';
import type { DocumentFormat, ReadDocument } from './document.ts';
import { readLinkList } from './link-list.ts';
import { readSingBox } from './sing-box.ts';

/** What a form is recognised by; all patterns are anchored and run in one pass, whatever the text. */
interface Sight {
  readonly text: string;
  /** The beginning without blanks. */
  readonly head: string;
  readonly isJson: boolean;
}

interface DocumentForm {
  readonly format: DocumentFormat;
  readonly matches: (sight: Sight) => boolean;
  readonly read: ReadDocument;
}

/** The forms of a document, in the order in which they are asked. */
const forms: readonly DocumentForm[] = [
  {
    format: 'sing-box',
    matches: ({ isJson, text }) => isJson && /"(?:outbounds|endpoints)"\s*:/.test(text),
    read: readSingBox,
  },
  { format: 'clash', matches: ({ isJson, text }) => isJson && /"proxies"\s*:/.test(text), read: readClash },
  {
    format: 'clash',
    matches: ({ text }) => /^["']?(?:proxies|proxy-providers|Proxy)["']?[ \t]*:/m.test(text),
    read: readClash,
  },
  { format: 'links', matches: ({ text }) => /^[ \t]*[a-z][a-z0-9+.-]{0,30}:\/\//im.test(text), read: readLinkList },
  { format: 'clash', matches: isListOfClashLines, read: readLinkList },
  { format: 'clash', matches: ({ head }) => /^(?:-\s+(?:\{|["']?(?:name|type)\b)|\{)/.test(head), read: readClash },
];

const maxHeadLength = 4_096;

function look(text: string): Sight {
  const head = text.trimStart().slice(0, maxHeadLength);
  return { text, head, isJson: /^(?:\s|\/\/[^\n]*\n|\/\*[^]*?\*\/)*[{[]/.test(head) };
}

/** Each line one proxy as JSON. */
function isListOfClashLines({ head }: Sight): boolean {
  const [first = ''] = head.split(/[\r\n]/, 1);
  return /^\{.*\},?$/.test(first.trimEnd());
}

const maxBase64Layers = 2;
const html = /^(?:<!--[^]*?-->\s*)*<(?:!doctype|html|head|body|\?xml|meta|script|title)\b/i;

export interface Detected {
  readonly format: DocumentFormat;
  readonly text: string;
  readonly read: ReadDocument;
}

/**
 * Finds out what a subscription is, through at most two layers of base64.
 * @throws ProblemError `subscription.html`, `subscription.empty`, `subscription.unknown-format`
 */
export function detectDocument(source: string): Detected {
  let text = source;
  for (let layer = 0; layer <= maxBase64Layers; layer += 1) {
    const sight = look(text);
    refuseEmptyAndHtml(sight);
    const form = forms.find(({ matches }) => matches(sight));
    if (form !== undefined) return { format: layer === 0 ? form.format : 'base64', text, read: form.read };
    const decoded = decodeBase64(text);
    if (decoded === undefined) break;
    text = decoded;
  }
  throw new ProblemError(
    'subscription.unknown-format',
    'it is no list of links, no base64 of one, no Clash YAML and no sing-box JSON',
  );
}

function refuseEmptyAndHtml({ head, text }: Sight): void {
  if (html.test(head)) throw new ProblemError('subscription.html', 'an HTML page came instead of a subscription');
  if (!/^[ \t]*(?!#|;|\/\/)\S/m.test(text))
    throw new ProblemError('subscription.empty', 'there is no line with content');
}
