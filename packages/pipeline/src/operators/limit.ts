import type { OperatorOf } from '@sbox/protocol/pipeline';
import type { CompilePattern } from '../regex.ts';
import { matchTest, perKey, type Step } from './step.ts';

export function compileLimit({ count, per, match }: OperatorOf<'limit'>, pattern: CompilePattern): Step {
  const isMatch = matchTest(match, pattern);
  const keyOf = perKey[per ?? 'all'];
  return (nodes, { note }) => {
    const counts = new Map<string, number>();
    return nodes.filter((piped) => {
      if (!isMatch(piped)) return true;
      const key = keyOf(piped);
      const place = (counts.get(key) ?? 0) + 1;
      counts.set(key, place);
      if (place <= count) return true;
      note(piped, 'dropped', () => `it is number ${place}${key === '' ? '' : ` of ${key}`}, and ${count} may stay`);
      return false;
    });
  };
}
