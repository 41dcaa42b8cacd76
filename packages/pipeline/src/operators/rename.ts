import { normaliseName } from '@sbox/formats';
import type { OperatorOf } from '@sbox/protocol/pipeline';
import { listOf } from '../query/compile-query.ts';
import { checkReplacement, invalid, type CompilePattern } from '../regex.ts';
import type { PipedNode } from '../piped-node.ts';
import { compileTemplate, createCounters, type Counters } from './name-template.ts';
import { matchTest, withTag, type Step } from './step.ts';

type Rewrite = (name: string, piped: PipedNode, counters: Counters) => string;

/** Longer names could grow with every replacement. */
const maxNameLength = 2000;

export function compileRename(operator: OperatorOf<'rename'>, pattern: CompilePattern): Step {
  const rewrites = compileRewrites(operator, pattern);
  if (rewrites.length === 0) throw invalid('it says nothing about names');
  const isMatch = matchTest(operator.match, pattern);
  return (nodes, { note }) => {
    const count = createCounters();
    return nodes.map((piped) => {
      if (!isMatch(piped)) return piped;
      const counters = count(piped);
      let name = piped.node.tag;
      for (const rewrite of rewrites) name = rewrite(name, piped, counters).slice(0, maxNameLength);
      const tag = normaliseName(name);
      if (tag === piped.node.tag) return piped;
      if (tag === '') {
        note(piped, 'changed', () => 'the new name would be empty; it keeps the old one');
        return piped;
      }
      note(piped, 'changed', () => `is called "${tag}" now`);
      return withTag(piped, tag);
    });
  };
}

/** In the order in which they are done. */
function compileRewrites(operator: OperatorOf<'rename'>, pattern: CompilePattern): Rewrite[] {
  const rewrites: Rewrite[] = [];
  for (const text of listOf(operator.delete)) {
    const compiled = pattern(text);
    rewrites.push((name) => compiled.replaceIn(name, ''));
  }
  for (const { pattern: text, with: replacement } of operator.replace ?? []) {
    const compiled = pattern(text);
    checkReplacement(compiled, replacement);
    rewrites.push((name) => compiled.replaceIn(name, replacement));
  }
  if (operator.template !== undefined) rewrites.push(compileTemplate(operator.template));
  if (operator.prefix !== undefined) {
    const prefix = compileTemplate(operator.prefix);
    rewrites.push((name, piped, counters) => prefix(name, piped, counters) + name);
  }
  if (operator.suffix !== undefined) {
    const suffix = compileTemplate(operator.suffix);
    rewrites.push((name, piped, counters) => name + suffix(name, piped, counters));
  }
  if (operator.normalise === true) rewrites.push(tidy);
  return rewrites;
}

/** Full-width letters become plain; runs of spaces and of one separator become one; separators at the ends go. */
const tidy = (name: string): string =>
  name
    .normalize('NFKC')
    .replace(/\s+/g, ' ')
    .replace(/\s*([|_–—-])(?:\s*\1)+\s*/g, ' $1 ')
    .replace(/^[\s|_–—-]+|[\s|_–—-]+$/g, '');
