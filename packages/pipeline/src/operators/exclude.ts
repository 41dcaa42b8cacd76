import { isNoticeName, type Node } from '@sbox/formats';
import type { OperatorOf } from '@sbox/protocol/pipeline';
import { valueTest, type NodeTest } from '../query/node-fields.ts';
import { invalid, type CompilePattern } from '../regex.ts';
import type { Step } from './step.ts';

// Words with which panels fill the names of nodes that are none; wider than what every subscription leaves out.
const noticeWords = /网址|官网|流量|时间|应急|过期|到期|剩余|套餐|bandwidth|expire|traffic reset/i;
const isAscii = (text: string | undefined): boolean => text === undefined || /^[\x20-\x7e]*$/.test(text);

const isNotice = ({ tag }: Node): boolean => isNoticeName(tag) || noticeWords.test(tag);
const isMalformed = ({ method, password, server }: Node): boolean =>
  !isAscii(method) || !isAscii(password) || !isAscii(server);

const presets: Readonly<Record<NonNullable<OperatorOf<'exclude'>['preset']>, (node: Node) => string | undefined>> = {
  notices: (node) => (isNotice(node) ? 'its name is a notice, not a place' : undefined),
  malformed: (node) => (isMalformed(node) ? 'its cipher, password or host has other than ASCII characters' : undefined),
  useless: (node) => presets.notices(node) ?? presets.malformed(node),
};

export function compileExclude(operator: OperatorOf<'exclude'>, pattern: CompilePattern): Step {
  const { ids, names, hosts, patterns, preset } = operator;
  const reasons: ((piped: Parameters<NodeTest>[0]) => string | undefined)[] = [];
  const add = (test: NodeTest, reason: string): number => reasons.push((piped) => (test(piped) ? reason : undefined));
  if (ids?.length) add(valueTest('id', ids), 'its id is on the list');
  if (names?.length) add(valueTest('name', names), 'its name is on the list');
  if (hosts?.length) add(valueTest('host', hosts), 'its host is on the list');
  for (const text of patterns ?? []) {
    const compiled = pattern(text);
    add(({ node }) => compiled.isIn(node.tag), `its name matches ${text}`);
  }
  if (preset !== undefined) reasons.push(({ node }) => presets[preset](node));
  if (Object.values({ ids, names, hosts, patterns, preset }).every((value) => value === undefined))
    throw invalid('it has no list and no preset');
  return (nodes, { note }) =>
    nodes.filter((piped) => {
      for (const reason of reasons) {
        const found = reason(piped);
        if (found === undefined) continue;
        note(piped, 'dropped', () => found);
        return false;
      }
      return true;
    });
}
