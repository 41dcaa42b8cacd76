import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { inflateSync } from 'node:zlib';
import { digestOf, messageOf, ProblemError } from '@sbox/core';
import {
  parseRuleSet,
  parseSrs,
  remoteRuleSets,
  type Json,
  type RemoteRuleSet,
  type RenditionFile,
  type RuleSet,
  type RuleSetContents,
} from '@sbox/engines/sing-box/render';
import type { Call } from '../command.ts';
import { counted } from '../counted.ts';
import { readSource } from '../read-source.ts';
import { sha256 } from '../sha256.ts';
import { writeWhole } from '../write-file.ts';
import { isRecord } from './document-file.ts';

/** Copies of remote rule-sets on this machine, by their addresses. */
export interface Mirror {
  readonly files: ReadonlyMap<string, RenditionFile>;
  /** Their rules, by address and by path. */
  readonly contents: RuleSetContents;
}

const maxRuleSets = 200;

/**
 * Fetches the remote rule-sets of a document into a folder. One that cannot be fetched stays as it was there before.
 * @throws ProblemError `rule-set.unavailable`, `rule-set.invalid`
 */
export async function mirrorRuleSets(document: Json, folder: string, call: Call): Promise<Mirror> {
  const dir = path.resolve(call.host.cwd, folder);
  const files = new Map<string, RenditionFile>();
  const contents = new Map<string, RuleSet>();
  const remote = remoteRuleSets(document);
  if (remote.length > maxRuleSets)
    throw new ProblemError('rule-set.unavailable', `there are ${remote.length} rule-sets, and ${maxRuleSets} at most`);
  if (remote.length > 0) await mkdir(dir, { recursive: true });
  for (const ruleSet of remote) {
    if (files.has(ruleSet.url)) continue;
    const { bytes, file, rules } = await fetchOne(ruleSet, dir, call);
    files.set(ruleSet.url, { path: file, digest: digestOf(bytes, sha256), size: bytes.length });
    contents.set(ruleSet.url, rules).set(file, rules);
  }
  if (files.size > 0) call.out.talk(`${counted(files.size, 'rule-set')} in ${dir}`);
  return { files, contents };
}

async function fetchOne({ url, tag, format }: RemoteRuleSet, dir: string, call: Call) {
  const file = path.join(dir, fileName(url, format));
  try {
    const { bytes } = await readSource(url, call.host);
    const rules = readRules(bytes);
    await writeWhole(file, bytes);
    return { bytes, file, rules };
  } catch (error) {
    call.host.signal.throwIfAborted();
    const kept = await readFile(file).catch(() => undefined);
    const why = `${tag}: ${messageOf(error)}`;
    if (!kept)
      throw new ProblemError('rule-set.unavailable', why, {
        cause: error,
        fix: `Check its address and the network; a copy may be put there by hand: ${file}`,
      });
    call.out.talk(`the rule-set ${why}; its last copy is used`);
    return { bytes: new Uint8Array(kept), file, rules: readRules(kept) };
  }
}

/** The name a person knows, and what makes it the only one of this address. */
function fileName(url: string, format: RemoteRuleSet['format']): string {
  const [, name = 'rule-set'] = /([\w.-]{1,60}?)(?:\.srs|\.json)?$/i.exec(URL.parse(url)?.pathname ?? '') ?? [];
  const mark = digestOf(new TextEncoder().encode(url), sha256).slice('sha256:'.length, 'sha256:'.length + 8);
  return `${name}-${mark}.${format === 'binary' ? 'srs' : 'json'}`;
}

const inflate = (packed: Uint8Array, maxBytes: number): Uint8Array =>
  inflateSync(packed, { maxOutputLength: maxBytes });

/** @throws ProblemError `rule-set.invalid` */
const readRules = (bytes: Uint8Array): RuleSet =>
  Buffer.from(bytes.subarray(0, 3)).toString('latin1') === 'SRS'
    ? parseSrs(bytes, { inflate })
    : parseRuleSet(new TextDecoder().decode(bytes));

/** The rules in the local rule-sets that a configuration names, as far as they can be read. */
export async function readLocalRuleSets(config: Json, dir: string, call: Call): Promise<RuleSetContents> {
  const contents = new Map<string, RuleSet>();
  const route = config['route'];
  const sets: unknown = isRecord(route) ? route['rule_set'] : undefined;
  for (const set of (Array.isArray(sets) ? sets : []).slice(0, maxRuleSets) as unknown[]) {
    const file = isRecord(set) && set['type'] === 'local' ? set['path'] : undefined;
    if (typeof file !== 'string') continue;
    try {
      contents.set(file, readRules(await readFile(path.resolve(dir, file))));
    } catch (error) {
      call.out.talk(`the rule-set ${file} cannot be read: ${messageOf(error)}`);
    }
  }
  return contents;
}
