import { wholeVersion, type EngineTarget } from '@sbox/engines/sing-box/render';
import { fallbackTarget } from '../engines/engine-choice.ts';

/** How apps with sing-box inside name themselves: `SFA/1.14.4 (567; sing-box 1.14.4; …)`, `sing-box 1.12.0`. */
const engineNames = [
  /\bsing-?box[ /]v?(\d{1,2}\.\d{1,3}(?:\.\d{1,3})?)/i,
  /^sf[aimt]\/v?(\d{1,2}\.\d{1,3}(?:\.\d{1,3})?)/i,
];

/** What a sing-box config is written for: the version that the program names, else a line that is widely there. */
export function targetOfAgent(userAgent: string): EngineTarget {
  const found = engineNames.map((name) => name.exec(userAgent.slice(0, 512))?.[1]).find((version) => version);
  return found === undefined ? fallbackTarget : { ...fallbackTarget, version: wholeVersion(found) };
}

interface ClashParts {
  /** A document that ends with its `proxies`. */
  readonly proxies: string;
  readonly tags: readonly string[];
  readonly urltest: { readonly url: string; readonly interval_s: number };
}

/** A profile that a program can start with: the proxies, one group to choose from, one that chooses by itself. */
export function clashProfile({ proxies, tags, urltest }: ClashParts): string {
  if (tags.length === 0) return `mode: rule\n${proxies}rules:\n  - MATCH,DIRECT\n`;
  const [choice, automatic] = groupNames(new Set(tags));
  const members = tags.map((tag) => `      - ${JSON.stringify(tag)}\n`).join('');
  return [
    `mode: rule\n${proxies}proxy-groups:\n`,
    `  - name: ${choice}\n    type: select\n    proxies:\n      - ${automatic}\n${members}`,
    `  - name: ${automatic}\n    type: url-test\n    url: ${JSON.stringify(urltest.url)}\n`,
    `    interval: ${urltest.interval_s}\n    proxies:\n${members}`,
    `rules:\n  - MATCH,${choice}\n`,
  ].join('');
}

/** Names that no node has. */
function groupNames(taken: ReadonlySet<string>): [string, string] {
  const free = (name: string): string => (taken.has(name) ? free(`${name}+`) : name);
  return [free('proxy'), free('auto')];
}
