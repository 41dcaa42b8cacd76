import { ProblemError } from '@sbox/core';
import type { Collector } from '../collector.ts';
import type { Limits } from '../limits.ts';
import { planUsage } from '../metadata/plan-usage.ts';
import type { NodeDraft } from '../node.ts';
import { addParam, spellings, wholeNumber, type Params } from '../params.ts';
import { readShadowsocks } from '../protocols/shadowsocks.ts';
import { flatten } from './flatten.ts';
import { parseJsonc, type Jsonc } from './jsonc.ts';
import { asRecord } from './sing-box-shape.ts';

/**
 * SIP008's `{"servers": [..]}`, and the bare list of servers that Shadowsocks for Android exports.
 * @see https://shadowsocks.org/doc/sip008.html
 * @throws ProblemError `subscription.unknown-format`, `subscription.too-deep`
 */
export function readSip008(text: string, collector: Collector, { maxDepth }: Limits): void {
  const json = parseJsonc(text, maxDepth);
  if (json === undefined) {
    throw new ProblemError(
      'subscription.unknown-format',
      'it looks like a list of Shadowsocks servers, but it is not valid JSON',
    );
  }
  const root = asRecord(json.value) ?? {};
  const usage = usageOf(root);
  if (usage !== undefined) collector.addMetadata({ usage });
  const { items, lines } = serversOf(root, json);
  for (const [index, item] of items.entries()) {
    const { remarks } = asRecord(item) ?? {};
    collector.add(lines[index] ?? 1, typeof remarks === 'string' ? remarks : '', () => readServer(item));
  }
}

interface ItemList {
  readonly items: readonly unknown[];
  readonly lines: readonly number[];
}

function serversOf(root: Readonly<Record<string, unknown>>, json: Jsonc): ItemList {
  if (Array.isArray(json.value)) return { items: json.value, lines: json.linesOf() };
  for (const field of ['servers', 'configs']) {
    const items = root[field];
    if (Array.isArray(items)) return { items, lines: json.linesOf(field) };
  }
  return { items: [root], lines: [1] };
}

function usageOf({ bytes_used, bytes_remaining }: Readonly<Record<string, unknown>>): ReturnType<typeof planUsage> {
  const used = amountOf(bytes_used);
  const left = amountOf(bytes_remaining);
  return planUsage({
    ...(used === undefined ? {} : { download: used }),
    ...(used === undefined || left === undefined ? {} : { total: used + left }),
  });
}

const amountOf = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : typeof value === 'string' ? wholeNumber(value) : undefined;

const names = spellings({
  name: ['remarks'],
  port: ['server_port'],
  method: [],
  password: [],
  plugin: [],
  plugin_opts: ['plugin_args'],
  udp: [],
});

function readServer(item: unknown): NodeDraft {
  const source = asRecord(item);
  if (source === undefined) throw new ProblemError('node.malformed', 'the server is not an object');
  const params: Params = new Map();
  // The number that the panel gave the server means nothing outside of it.
  const { id: _id, ...settings } = source;
  for (const [key, value] of flatten(settings)) if (value !== '') addParam(params, key, value, names);
  return readShadowsocks(params);
}
