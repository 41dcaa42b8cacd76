import { ProblemError, redact } from '@sbox/core';
import { parseSubscription, type Node, type ParsedSubscription, type Rejected } from '@sbox/formats';
import { arg, flag, text, type Call } from '../command.ts';
import type { Column } from '../out.ts';
import { readSource, type Source } from '../read-source.ts';
import { sha256 } from '../sha256.ts';

const shownBytes = 400;

/** A format that was not even recognised is `unknown`. */
type LooselyParsed = Omit<ParsedSubscription, 'format'> & { readonly format: string };

/** Parses a source; problems say what was read and how it begins. */
export function parseSource({ bytes, label, answer }: Source): ParsedSubscription {
  try {
    return parseSubscription(bytes, { sha256 });
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const begins = JSON.stringify(new TextDecoder().decode(bytes.subarray(0, 24)));
    const detail = `${label}${answer === undefined ? '' : ` → ${answer}`}, ${bytes.length === 0 ? 'no bytes' : `starts ${begins}`}; ${error.message}`;
    throw new ProblemError(error.code, error.code === 'subscription.html' ? detail.replace(/; [^;]*$/, '') : detail, {
      cause: error,
      fix: `${error.fix}${answer === undefined ? '' : '      see the first bytes: sboxmgr inspect URL --raw'}`,
      ...(error.code === 'subscription.html' ? { headline: 'subscription returned HTML, not a subscription' } : {}),
      ...(error.details === undefined ? {} : { details: error.details }),
    });
  }
}

/** `base64, 14 nodes: vless 6, trojan 3` */
export function summarise({ format, nodes, rejected }: LooselyParsed): string {
  const byType = Map.groupBy(nodes, ({ type }) => type);
  const types = [...byType]
    .toSorted((a, b) => b[1].length - a[1].length)
    .map(([type, group]) => `${type} ${group.length}`);
  return `${format}, ${nodes.length} nodes: ${types.join(', ')}${rejected.length === 0 ? '' : `   (${rejected.length} rejected)`}`;
}

const nodeColumns = (reveal: boolean): Column<Node>[] => [
  { title: 'TAG', value: ({ tag }) => tag },
  { title: 'TYPE', value: ({ type }) => type },
  { title: 'SERVER', value: ({ server, server_port }) => `${server}:${server_port}` },
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

export const inspect = async (call: Call): Promise<void> => {
  const { out, host } = call;
  const source = await readSource(arg(call, 0), host, text(call, 'userAgent'));
  if (flag(call, 'raw')) {
    out.talk(
      `${source.label}${source.answer === undefined ? '' : ` → ${source.answer}`}, ${source.bytes.length} bytes`,
    );
    out.raw(`${new TextDecoder().decode(source.bytes.subarray(0, shownBytes))}\n`);
    return;
  }
  const parsed = out.format === 'json' ? parseLoosely(source) : parseSource(source);
  const whole = { format: parsed.format, nodes: parsed.nodes, rejected: parsed.rejected };
  if (flag(call, 'rejected')) {
    await out.rows(parsed.rejected, rejectedColumns, parsed.rejected);
    return;
  }
  if (out.format === 'table') out.talk(summarise(parsed));
  await out.rows(parsed.nodes, nodeColumns(flag(call, 'reveal')), whole);
  if (out.format === 'table' && parsed.rejected.length > 0)
    out.talk(`see why: sboxmgr inspect ${arg(call, 0)} --rejected`);
};

/** For programs a source without a usable node is still an answer: every line with its reason. */
function parseLoosely(source: Source): LooselyParsed {
  try {
    return parseSource(source);
  } catch (error) {
    const details = error instanceof ProblemError && error.code === 'subscription.no-nodes' ? error.details : undefined;
    if (!details) throw error;
    return {
      format: typeof details['format'] === 'string' ? details['format'] : 'unknown',
      nodes: [],
      rejected: (details['rejected'] ?? []) as Rejected[],
    };
  }
}
