import type { Writable } from 'node:stream';
import { isoTime, systemClock, type Clock } from '@sbox/core';
import { logLevels, type LogSink } from '@sbox/daemon/log';
import { createLogger, format, transports } from 'winston';

/** Writes one JSON object a line: ts, level, msg, then the fields. The logger in front has chosen the level already. */
export function createWinstonSink(stream: Writable, clock: Clock = systemClock): LogSink {
  const logger = createLogger({
    levels: Object.fromEntries(logLevels.map((level, index) => [level, index])),
    level: 'debug',
    // The record travels whole, so that no field of ours can meet one of winston's own names.
    format: format.printf(({ record }) => JSON.stringify(record)),
    transports: [new transports.Stream({ stream, eol: '\n' })],
  });
  return (record) => {
    logger.log({ level: record.level, message: record.msg, record: { ts: isoTime(clock.now()), ...record } });
  };
}
