import { messageOf, ProblemError, problemRow, toProblem } from './problem.ts';
import { redactText } from './redact.ts';

/** The exit code of a program that ended with this error. */
export const exitCodeOf = (error: unknown): number => (error instanceof ProblemError ? problemRow(error.code).exit : 1);

/** What people read of a problem in another language. */
export interface ProblemWords {
  readonly title: string;
  readonly fix: string;
}

/** How problems are put into another language than English, which is what there is without one. */
export interface ProblemLanguage {
  /** These words in it, or themselves where it has none. */
  readonly text: (english: string) => string;
  readonly problem: (code: string) => ProblemWords | undefined;
}

const inEnglish: ProblemLanguage = { text: (words) => words, problem: () => undefined };

/** For people: `error: what`, `cause: why`, `fix: what to do`. A bug says that it is one, with its stack if wanted. */
export function problemText(error: unknown, showStack = false, { text, problem } = inEnglish): string {
  const [what, why, todo] = [text('error: '), text('cause: '), text('fix:   ')];
  if (!(error instanceof ProblemError)) {
    const stack = showStack && error instanceof Error ? `\n${redactText(error.stack ?? '')}` : '';
    const fix = showStack ? 'report what is printed here' : 'run it again with --verbose and report what it prints';
    return `${what}${redactText(messageOf(error))}\n${why}${text('this is a bug in sbox')}\n${todo}${text(fix)}${stack}`;
  }
  const row = problemRow(error.code);
  const words = problem(error.code) ?? row;
  const headline = error.headline ?? (error.code === 'remote.failed' ? error.message : row.title);
  const shown = headline === row.title ? words.title : text(headline);
  const cause = headline === error.message ? error.code : redactText(text(error.message));
  const lines = /\bdetails\b/.test(error.fix) ? detailLines(error.details) : [];
  const fix = error.fix === row.fix ? words.fix : text(error.fix);
  return [`${what}${lowerFirst(shown)}`, `${why}${cause}`, ...lines, `${todo}${fix}`].join('\n');
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
  /^\p{Lu}[\p{Ll} ]/u.test(sentence) ? sentence.charAt(0).toLowerCase() + sentence.slice(1) : sentence;
