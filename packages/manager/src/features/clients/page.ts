import { createHash } from 'node:crypto';
import { renderSVG } from 'uqr';
import { markup } from '../../documents/markup.ts';
import type { StoredClient } from './clients-repository.ts';
import { wordsFor, type PageWords } from './page-words.ts';
import { titleOf } from './profile-headers.ts';

export interface ClientPage {
  readonly html: string;
  /** Content-Security-Policy: nothing but the style of the page. */
  readonly policy: string;
}

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 34rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 1.75rem 0 0.5rem; }
code { display: block; padding: 0.5rem; border: 1px solid #8886; border-radius: 6px; overflow-wrap: anywhere; user-select: all; cursor: pointer; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0.25rem 1rem; margin: 0; align-items: center; }
dd { margin: 0; }
svg { display: block; width: 15rem; height: 15rem; border-radius: 6px; }
a.app { display: inline-block; margin: 0 0.5rem 0.5rem 0; padding: 0.4rem 0.9rem; border: 1px solid currentColor; border-radius: 6px; text-decoration: none; }
.small { color: #777; font-size: 0.875rem; }
`;
const styleDigest = createHash('sha256').update(style).digest('base64');
const policy = `default-src 'none'; style-src 'sha256-${styleDigest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** Addresses that open an app with a link in it. */
const apps: readonly (readonly [name: string, address: (link: string, title: string) => string])[] = [
  [
    'sing-box',
    (link, title) =>
      `sing-box://import-remote-profile?url=${encodeURIComponent(`${link}/sing-box`)}#${encodeURIComponent(title)}`,
  ],
  ['Clash / mihomo', (link) => `clash://install-config?url=${encodeURIComponent(`${link}/clash`)}`],
  ['Hiddify', (link, title) => `hiddify://import/${link}#${encodeURIComponent(title)}`],
];

const formats: readonly (readonly [name: string, path: string])[] = [
  ['sing-box', 'sing-box'],
  ['Clash / mihomo', 'clash'],
  ['v2ray (base64)', 'base64'],
  ['links', 'links'],
];

/** The page of one client, without script: what it needs is in it. */
export function clientPage({
  client,
  link,
  languages,
}: {
  readonly client: StoredClient;
  readonly link: string;
  readonly languages: string | undefined;
}): ClientPage {
  const { language, words } = wordsFor(languages);
  const title = titleOf(client);
  const html = [
    `<!doctype html><html lang="${language}"><head><meta charset="utf-8">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">',
    `<title>${escape(title)}</title><style>${style}</style></head><body><h1>${escape(title)}</h1>`,
    client.announce === '' ? '' : `<p>${escape(client.announce)}</p>`,
    planOf(client, words),
    `<h2>${words.scan}</h2>${renderSVG(link, { border: 2, ecc: 'M' })}`,
    `<h2>${words.open}</h2><p>`,
    ...apps.map(([name, address]) => `<a class="app" href="${escape(address(link, title))}">${escape(name)}</a>`),
    `</p><h2>${words.link}</h2><code>${escape(link)}</code><p class="small">${words.copy} ${words.secret}</p>`,
    `<h2>${words.formats}</h2><dl>`,
    ...formats.map(([name, path]) => `<dt>${escape(name)}</dt><dd><code>${escape(`${link}/${path}`)}</code></dd>`),
    '</dl>',
    moreOf(client, words),
    '</body></html>\n',
  ].join('');
  return { html, policy };
}

function planOf({ usage, expires_at }: StoredClient, words: PageWords): string {
  const end = expires_at === null ? words.forever : expires_at.slice(0, 10);
  const plan = [`<dt>${words.until}</dt><dd>${end}</dd>`];
  if (usage) {
    const total = usage.total === 0 ? words.unlimited : bytesText(usage.total);
    plan.unshift(`<dt>${words.used}</dt><dd>${bytesText(usage.upload + usage.download)} ${words.of} ${total}</dd>`);
  }
  return `<dl>${plan.join('')}</dl>`;
}

function moreOf({ support_url, web_page_url }: StoredClient, words: PageWords): string {
  const links = [
    [words.help, support_url],
    [words.website, web_page_url],
  ].flatMap(([name, url]) => (url ? [`<a href="${escape(url)}" rel="noreferrer">${name}</a>`] : []));
  return links.length === 0 ? '' : `<p>${links.join(' · ')}</p>`;
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

function bytesText(bytes: number): string {
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value >= 100 || power === 0 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

const escape = (text: string): string => markup`${text}`.html;
