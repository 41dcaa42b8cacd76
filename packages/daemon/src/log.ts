import { isoTime, messageOf, ProblemError, redact, type Clock } from '@sbox/core';

/** How much someone must care: error = act, warn = degraded, info = state changed, debug = the rest. */
export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFields = Readonly<Record<string, unknown>>;

/** The message is a fixed sentence; what varies goes into fields. Secrets in fields are hidden by name and by shape. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

/** Takes one finished record; winston in the manager, a line of JSON in the agent. */
export type LogSink = (record: { readonly level: LogLevel; readonly msg: string } & LogFields) => void;

export function createLogger(sink: LogSink, level: LogLevel, fields: LogFields = {}): Logger {
  const most = logLevels.indexOf(level);
  const at =
    (own: LogLevel) =>
    (msg: string, extra?: LogFields): void => {
      if (logLevels.indexOf(own) > most) return;
      // A field cannot pose as one of the record's own.
      const { ts: _ts, level: _level, msg: _msg, ...rest } = redact({ ...fields, ...extra });
      sink({ level: own, msg, ...rest });
    };
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    child: (more) => createLogger(sink, level, { ...fields, ...more }),
  };
}

/** One JSON object a line: ts, level, msg, then the fields. Control characters cannot break out of a line. */
export const createLineSink =
  (write: (line: string) => void, clock: Clock): LogSink =>
  (record) => {
    write(`${JSON.stringify({ ts: isoTime(clock.now()), ...record })}\n`);
  };

export const silentLogger: Logger = createLogger(() => {}, 'error');

/** An error as log fields: code and fix for a problem, the stack for a bug. */
export function errorFields(error: unknown): LogFields {
  if (error instanceof ProblemError) {
    return {
      code: error.code,
      error: error.message,
      fix: error.fix,
      ...(error.cause === undefined ? {} : { cause: messageOf(error.cause) }),
    };
  }
  return { error: messageOf(error), ...(error instanceof Error ? { stack: error.stack } : {}) };
}
