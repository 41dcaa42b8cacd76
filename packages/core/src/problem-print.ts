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
  const lines = /\bdetails\b/.test(error.fix) ? detailLines(error.details) : [];
  return [`error: ${lowerFirst(headline)}`, `cause: ${cause}`, ...lines, `fix:   ${error.fix}`].join('\n');
}

const [maxDetails, maxDetailLength] = [20, 300];

/** What complains about a place says the place; anything else is shown as it is. */
function detailLine(name: string, value: unknown): string {
  if (typeof value === 'string') return `${name}: ${value}`;
  const { key, field, path, message } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const place = [key, field, path].find((one) => typeof one === 'string' && one !== '');
  if (typeof message === 'string') return typeof place === 'string' ? `${place}: ${message}` : message;
  return `${name}: ${JSON.stringify(value)}`;
}

/** Shown to people where the fix sends them there: `  key: value`, one line each. */
function detailLines(details: ProblemError['details']): string[] {
  const shown = Object.entries(details ?? {})
    .flatMap(([key, value]) =>
      Array.isArray(value) ? value.map((one: unknown) => [key, one] as const) : [[key, value] as const],
    )
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([key, value]) => detailLine(key, value));
  const more = shown.length - maxDetails;
  return [...shown.slice(0, maxDetails), ...(more > 0 ? [`${more} more`] : [])].map(
    (line) =>
      `  ${redactText(line)
        .replaceAll(/\p{Cc}/gu, ' ')
        .slice(0, maxDetailLength)}`,
  );
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
