import { ProblemError, redact, redactText } from '@sbox/core';
import type { Metadata, Node, Rejected } from '@sbox/formats';
import { arg, flag, text, type Call } from '../command.ts';
import { parseSource, summarise, type LooselyParsed } from '../local/parse-source.ts';
import { nodeAddress } from '../node-address.ts';
import type { Column, Out } from '../out.ts';
import { readSource, type Source } from '../read-source.ts';

const shownBytes = 400;

export const nodeColumns = (reveal: boolean): Column<Node>[] => [
  { title: 'TAG', value: ({ tag }) => tag },
  { title: 'TYPE', value: ({ type }) => type },
  { title: 'SERVER', value: nodeAddress },
  { title: 'TLS', value: ({ tls }) => (tls?.enabled ? (tls.reality ? 'reality' : (tls.server_name ?? 'yes')) : '') },
  { title: 'TRANSPORT', value: ({ transport }) => transport?.type ?? '' },
  { title: 'ID', value: ({ id }) => id },
  ...(reveal ? [{ title: 'CREDENTIALS', value: (node: Node) => node.password ?? node.uuid ?? '' }] : []),
];

const rejectedColumns: Column<Rejected>[] = [
  { title: 'LINE', value: ({ line }) => line },
  { title: 'CODE', value: ({ code }) => code },
  { title: 'REASON', value: ({ reason }) => reason },
  { title: 'TEXT', value: (row) => redact(row.text ?? '') },
];

export const inspect = async (call: Call): Promise<number> => {
  const { out, host } = call;
  const source = await readSource(arg(call, 0), host, { userAgent: text(call, 'userAgent') });
  if (flag(call, 'raw')) {
    out.talk(
      `${source.label}${source.answer === undefined ? '' : ` → ${source.answer}`}, ${source.bytes.length} bytes`,
    );
    out.raw(`${new TextDecoder().decode(source.bytes.subarray(0, shownBytes))}\n`);
    return 0;
  }
  const parsed: MaybeParsed = out.format === 'json' ? parseLoosely(source) : parseSource(source);
  const code = parsed.problem === undefined ? 0 : out.problem(parsed.problem);
  if (flag(call, 'rejected')) {
    await out.rows(parsed.rejected, rejectedColumns, parsed.rejected);
    return code;
  }
  const nodes = await selected(parsed.nodes, text(call, 'nodes'), source.label);
  const { format, rejected, metadata } = parsed;
  if (out.format === 'table') {
    out.talk(summarise(parsed));
    for (const line of metadataLines(metadata)) out.talk(line);
    if (nodes.length < parsed.nodes.length) out.talk(`${nodes.length} of them are shown`);
  }
  const { nodes: listed, ...made } = isForPrograms(out) ? await forPrograms(nodes) : { nodes };
  await out.rows(nodes, nodeColumns(flag(call, 'reveal')), { format, nodes: listed, rejected, metadata, ...made });
  if (out.format === 'table' && rejected.length > 0) out.talk(`see why: sboxmgr inspect ${arg(call, 0)} --rejected`);
  return code;
};

const isForPrograms = ({ format }: Out): boolean => format === 'json' || format === 'yaml';

/** The nodes, and beside them what the newest sing-box with every build tag makes of them. */
async function forPrograms(nodes: readonly Node[]) {
  const { fullTarget, writeNodes } = await import('@sbox/engines/sing-box/render');
  const { parts, left_out } = writeNodes(nodes, fullTarget);
  const outbounds = parts.flatMap((part) => part.outbounds);
  const endpoints = parts.flatMap((part) => part.endpoints);
  return { nodes: nodes.map(withPlugin), singbox: { outbounds, endpoints, left_out } };
}

/** Others know ShadowTLS as a plugin: who reads our nodes finds it under those names too. */
function withPlugin(node: Node): Node | object {
  if (node.shadow_tls === undefined) return node;
  const { password, version, tls } = node.shadow_tls;
  return { ...node, plugin: 'shadow-tls', plugin_opts: { host: tls.server_name, password, version, alpn: tls.alpn } };
}

/** Those that an expression keeps. @throws ProblemError `pipeline.invalid` */
async function selected(
  nodes: readonly Node[],
  expression: string | undefined,
  label: string,
): Promise<readonly Node[]> {
  if (expression === undefined) return nodes;
  const { runPipeline, validatePipeline } = await import('@sbox/pipeline');
  const pipeline = validatePipeline([{ operator: 'filter', keep: { expression } }]);
  return runPipeline([{ subscription: label, nodes }], pipeline).nodes.map(({ node }) => node);
}

const gib = (bytes: number): string => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;

/** What the provider says about the plan. */
function metadataLines({ title, usage = {}, update_interval_hours: hours, notices, ...rest }: Metadata): string[] {
  const used = (usage.upload ?? 0) + (usage.download ?? 0);
  const plan = [
    ...(usage.upload === undefined && usage.download === undefined ? [] : [`used ${gib(used)}`]),
    ...(usage.total === undefined ? [] : [`of ${gib(usage.total)}`]),
    ...(usage.expire === undefined ? [] : [`until ${new Date(usage.expire * 1000).toISOString().slice(0, 10)}`]),
  ];
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['title', title],
    ['plan', plan.length === 0 ? undefined : plan.join(' ')],
    ['update every', hours === undefined ? undefined : `${hours}h`],
    ['web page', rest.web_page_url],
    ['support', rest.support_url],
    ['announce', rest.announce],
    ['moved to', rest.moved_to],
    ['notices', notices.length === 0 ? undefined : notices.slice(0, 5).join(' · ')],
  ];
  return facts.flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
}

/** With the problem of the whole document, if it has one. */
type MaybeParsed = LooselyParsed & { readonly problem?: ProblemError };

/** For programs a source without a usable node is still an answer: every line with its reason, or one for the whole. */
function parseLoosely(source: Source): MaybeParsed {
  try {
    return parseSource(source);
  } catch (error) {
    if (!(error instanceof ProblemError) || !error.code.startsWith('subscription.')) throw error;
    const { code, message, details = {} } = error;
    const hasLines = code === 'subscription.no-nodes';
    return {
      format: typeof details['format'] === 'string' ? details['format'] : 'unknown',
      nodes: [],
      rejected: hasLines
        ? ((details['rejected'] ?? []) as Rejected[])
        : [{ line: 1, code, reason: redactText(message) }],
      metadata: { notices: (details['notices'] ?? []) as string[] },
      ...(hasLines ? {} : { problem: error }),
    };
  }
}
