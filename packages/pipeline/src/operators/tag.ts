import type { OperatorOf } from '@sbox/protocol/pipeline';
import { listOf } from '../query/compile-query.ts';
import { invalid, type CompilePattern } from '../regex.ts';
import { matchTest, perKey, type Step } from './step.ts';

export function compileTag(operator: OperatorOf<'tag'>, pattern: CompilePattern): Step {
  const { labels = [], remove = [] } = operator;
  const from = listOf(operator.from);
  if (labels.length + remove.length + from.length === 0) throw invalid('it has neither labels, from nor remove');
  const isMatch = matchTest(operator.match, pattern);
  const removed = new Set(remove);
  return (nodes, { note }) =>
    nodes.map((piped) => {
      if (!isMatch(piped)) return piped;
      const given = new Set(piped.labels.filter((label) => !removed.has(label)));
      for (const label of labels) given.add(label);
      for (const per of from) given.add(`${per}:${perKey[per](piped)}`);
      const next = [...given];
      if (next.join('\n') === piped.labels.join('\n')) return piped;
      note(piped, 'changed', () => `its labels are ${next.join(', ') || 'none'} now`);
      return { ...piped, labels: next };
    });
}
