import { ProblemError } from '@sbox/core';
import { pipelineSchema, type Pipeline } from '@sbox/protocol/pipeline';
import english from 'zod/v4/locales/en.js';
import { compilePipeline } from './compile-pipeline.ts';

/**
 * Checks a pipeline as it comes from outside, with its regular expressions, templates and groups, before it is saved.
 * @throws ProblemError `pipeline.invalid`; `details.index` is the place of the operator
 */
export function validatePipeline(input: unknown): Pipeline {
  const parsed = pipelineSchema.safeParse(input, { error: english().localeError });
  if (!parsed.success) throw shapeProblem(parsed.error.issues, input);
  compilePipeline(parsed.data);
  return parsed.data;
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly errors?: readonly (readonly Issue[])[] | undefined;
}

function shapeProblem(issues: readonly Issue[], input: unknown): ProblemError {
  const [first] = issues;
  const { path, message } = first === undefined ? { path: [], message: 'cannot be read' } : innermost(first);
  const [index, ...field] = path;
  if (typeof index !== 'number')
    return new ProblemError('pipeline.invalid', `a pipeline is a list of operators: ${message}`);
  const { operator } = ((input as readonly unknown[])[index] ?? {}) as { readonly operator?: unknown };
  const name = typeof operator === 'string' ? ` (${operator.slice(0, 32)})` : '';
  const at = field.length > 0 ? ` ${field.join('.')}:` : '';
  return new ProblemError('pipeline.invalid', `operator ${index + 1}${name}:${at} ${message}`, {
    details: {
      index,
      ...(typeof operator === 'string' ? { operator: operator.slice(0, 32) } : {}),
      path: path.map(String),
    },
  });
}

/** Of the alternatives of a union, the one that got furthest says best what is wrong. */
function innermost(issue: Issue): { readonly path: readonly PropertyKey[]; readonly message: string } {
  const inner = (issue.errors ?? []).flat().map(innermost);
  const deepest = inner.toSorted((a, b) => b.path.length - a.path.length)[0];
  if (deepest === undefined) return { path: issue.path, message: lowerFirst(issue.message) };
  return { path: [...issue.path, ...deepest.path], message: deepest.message };
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
