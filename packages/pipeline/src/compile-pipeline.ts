import { ProblemError } from '@sbox/core';
import type { Operator, OperatorName, OperatorOf, Pipeline } from '@sbox/protocol/pipeline';
import { checkGroups, compileGroup, type GroupMaker } from './groups.ts';
import { compileChain } from './operators/chain.ts';
import { compileCountry } from './operators/country.ts';
import { compileDedupe } from './operators/dedupe.ts';
import { compileExclude } from './operators/exclude.ts';
import { compileFilter } from './operators/filter.ts';
import { compileLimit } from './operators/limit.ts';
import { compileRename } from './operators/rename.ts';
import { compileResolve } from './operators/resolve.ts';
import { compileSample } from './operators/sample.ts';
import { compileSet } from './operators/set.ts';
import { compileSort } from './operators/sort.ts';
import type { Step } from './operators/step.ts';
import { compileTag } from './operators/tag.ts';
import { createPatternCompiler, type CompilePattern, type TimeBudget } from './regex.ts';

type Compile<Name extends OperatorName> = (operator: OperatorOf<Name>, pattern: CompilePattern) => Step;

const compilers: { readonly [Name in Exclude<OperatorName, 'group'>]: Compile<Name> } = {
  filter: compileFilter,
  exclude: compileExclude,
  rename: compileRename,
  dedupe: compileDedupe,
  sort: compileSort,
  country: compileCountry,
  set: compileSet,
  resolve: compileResolve,
  limit: compileLimit,
  sample: compileSample,
  tag: compileTag,
  chain: compileChain,
};

interface CompiledOperator {
  readonly index: number;
  readonly operator: OperatorName;
  readonly step: Step;
}

interface CompiledPipeline {
  readonly steps: readonly CompiledOperator[];
  readonly groups: readonly GroupMaker[];
}

/**
 * Makes a pipeline ready to run; operators that are switched off are checked and left out.
 * @throws ProblemError `pipeline.invalid` with the place of the operator
 */
export function compilePipeline(pipeline: Pipeline, budget?: TimeBudget): CompiledPipeline {
  const pattern = createPatternCompiler(budget);
  const steps: CompiledOperator[] = [];
  const groups: GroupMaker[] = [];
  pipeline.forEach((operator, index) => {
    locate(operator, index, () => {
      const isOn = operator.enabled !== false;
      if (operator.operator === 'group') {
        const group = compileGroup(operator, pattern);
        if (isOn) groups.push(group);
        return;
      }
      const compile = compilers[operator.operator] as Compile<OperatorName>;
      const step = compile(operator, pattern);
      if (isOn) steps.push({ index, operator: operator.operator, step });
    });
  });
  checkGroups(
    pipeline.filter((operator) => operator.operator === 'group' && operator.enabled !== false) as OperatorOf<'group'>[],
  );
  return { steps, groups };
}

function locate(operator: Operator, index: number, compile: () => void): void {
  try {
    compile();
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    throw new ProblemError('pipeline.invalid', `operator ${index + 1} (${operator.operator}): ${error.message}`, {
      details: { index, operator: operator.operator },
      cause: error,
    });
  }
}
