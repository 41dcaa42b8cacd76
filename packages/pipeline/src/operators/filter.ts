import type { OperatorOf } from '@sbox/protocol/pipeline';
import { describeQuery } from '../query/describe-query.ts';
import { invalid, type CompilePattern } from '../regex.ts';
import { matchTest, type Step } from './step.ts';

export function compileFilter({ keep, drop }: OperatorOf<'filter'>, pattern: CompilePattern): Step {
  if (keep === undefined && drop === undefined) throw invalid('it has neither keep nor drop');
  const isKept = matchTest(keep, pattern);
  const isDropped = drop === undefined ? () => false : matchTest(drop, pattern);
  const keeps = `keep asks for ${describeQuery(keep ?? {})}`;
  const drops = `drop asks for ${describeQuery(drop ?? {})}`;
  return (nodes, { note }) =>
    nodes.filter((piped) => {
      if (!isKept(piped)) {
        note(piped, 'dropped', () => keeps);
        return false;
      }
      if (!isDropped(piped)) return true;
      note(piped, 'dropped', () => drops);
      return false;
    });
}
