import { messageOf, ProblemError, problemRow, toProblem } from './problem.ts';
import { redactText } from './redact.ts';

/** The exit code of a program that ended with this error. */
export const exitCodeOf = (error: unknown): number => (error instanceof ProblemError ? problemRow(error.code).exit : 1);

/** For people: `error: what`, `cause: why`, `fix: what to do`. A bug says that it is one, with its stack if wanted. */
export function problemText(error: unknown, showStack = false): string {
  if (!(error instanceof ProblemError)) {
    const stack = showStack && error instanceof Error ? `\n${redactText(error.stack ?? '')}` : '';
    const fix = showStack ? 'report what is printed here' : 'run it again with --verbose and report what it prints';
    return `error: ${redactText(messageOf(error))}\ncause: this is a bug in sbox\nfix:   ${fix}${stack}`;
  }
  const title = error.code === 'remote.failed' ? error.message : problemRow(error.code).title;
  const headline = error.headline ?? title;
  const cause = headline === error.message ? error.code : redactText(error.message);
  return `error: ${lowerFirst(headline)}\ncause: ${cause}\nfix:   ${error.fix}`;
}

/** For programs: one line of JSON. */
export function problemJson(error: unknown): string {
  if (!(error instanceof ProblemError)) {
    return JSON.stringify({ error: { code: 'internal.error', message: redactText(messageOf(error)) } });
  }
  const { code, title, detail, fix, details } = toProblem(error);
  return JSON.stringify({ error: { code, title, message: redactText(detail), fix, ...(details ? { details } : {}) } });
}

/** Names and abbreviations keep their capitals. */
const lowerFirst = (sentence: string): string =>
  /^[A-Z][a-z ]/.test(sentence) ? sentence.charAt(0).toLowerCase() + sentence.slice(1) : sentence;
