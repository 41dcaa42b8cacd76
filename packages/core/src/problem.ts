import { problemTable, type ProblemCode, type ProblemRow } from './problem-table.ts';

/** RFC 9457 problem document, plus `code`, `fix` and free `details`; the same shape in API, CLI, logs and NACKs. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ProblemCode;
  readonly detail: string;
  readonly fix: string;
  readonly instance?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface ProblemOptions {
  /** Facts for programs: line numbers, limits, ids. Never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Replaces the table's fix when this occurrence knows a better one. */
  readonly fix?: string;
  /** What happened in one line for people, where it says more than the title of the code. */
  readonly headline?: string;
  readonly cause?: unknown;
}

/** An expected failure: `code` says which row of the table, `message` says what happened this time. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: ProblemCode;
  readonly fix: string;
  readonly headline: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.fix = options.fix ?? problemTable[code].fix;
    this.headline = options.headline;
    this.details = options.details;
  }
}

/** The row of a code: HTTP status, title, usual fix and the exit code that the command line answers with. */
export const problemRow = (code: ProblemCode): ProblemRow => problemTable[code];

export const isProblemCode = (code: string): code is ProblemCode => Object.hasOwn(problemTable, code);

export function toProblem(error: ProblemError, instance?: string): Problem {
  const row = problemTable[error.code];
  return {
    type: `https://sbox.invalid/problems/${error.code}`,
    title: row.title,
    status: row.status,
    code: error.code,
    detail: error.message,
    fix: error.fix,
    ...(instance === undefined ? {} : { instance }),
    ...(error.details === undefined ? {} : { details: error.details }),
  };
}

/** Turns a problem document that came over the wire back into an error; an unknown code becomes `remote.failed`. */
export function fromProblem(document: unknown, fallback: string): ProblemError {
  const { code, detail, fix, details } = (typeof document === 'object' && document !== null ? document : {}) as Record<
    string,
    unknown
  >;
  return new ProblemError(
    typeof code === 'string' && isProblemCode(code) ? code : 'remote.failed',
    typeof detail === 'string' ? detail : fallback,
    {
      ...(typeof fix === 'string' ? { fix } : {}),
      ...(typeof details === 'object' && details !== null ? { details: details as Record<string, unknown> } : {}),
    },
  );
}

/** The message of anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
