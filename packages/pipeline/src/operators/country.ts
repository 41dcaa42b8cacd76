import type { OperatorOf } from '@sbox/protocol/pipeline';
import { countryFlag, findFlag, removeFlags } from '../countries/flags.ts';
import { invalid, type CompilePattern } from '../regex.ts';
import type { PipedNode } from '../piped-node.ts';
import { nodeFields } from '../query/node-fields.ts';
import { matchTest, withTag, type Step } from './step.ts';

type Taiwan = NonNullable<OperatorOf<'country'>['taiwan']>;

const retag: Readonly<Record<NonNullable<OperatorOf<'country'>['flag']>, (name: string, flag: string) => string>> = {
  keep: (name) => name,
  add: (name, flag) => (flag === '' || findFlag(name) !== undefined ? name : `${flag} ${name}`),
  replace: (name, flag) => (flag === '' ? name : `${flag} ${removeFlags(name)}`.trim()),
  remove: (name) => removeFlags(name) || name,
};

export function compileCountry(operator: OperatorOf<'country'>, pattern: CompilePattern): Step {
  const { flag = 'keep', taiwan = 'tw', label = false } = operator;
  if (flag === 'keep' && operator.set === undefined && !label) throw invalid('it has neither flag, set nor label');
  const isMatch = matchTest(operator.match, pattern);
  const set = operator.set === undefined ? undefined : nodeFields.country.read(operator.set);
  return (nodes, { note }) =>
    nodes.map((piped) => {
      if (!isMatch(piped)) return piped;
      const placed = set === undefined ? piped : place(piped, set);
      if (placed.country !== piped.country)
        note(piped, 'changed', () => `its country is ${placed.country ?? 'not known'} now`);
      const tag = retag[flag](piped.node.tag, flagFor(placed.country, taiwan));
      if (tag !== piped.node.tag) note(piped, 'changed', () => `is called "${tag}" now`);
      const named = tag === piped.node.tag ? placed : withTag(placed, tag);
      if (!label || named.country === undefined) return named;
      return withLabel(named, `country:${named.country}`);
    });
}

function place(piped: PipedNode, country: string): PipedNode {
  if (piped.country === country) return piped;
  const { country: _, ...rest } = piped;
  return country === 'none' ? rest : { ...rest, country };
}

const flagFor = (country: string | undefined, taiwan: Taiwan): string =>
  countryFlag(country === 'TW' ? taiwan.toUpperCase() : country);

const withLabel = (piped: PipedNode, label: string): PipedNode =>
  piped.labels.includes(label) ? piped : { ...piped, labels: [...piped.labels, label] };
