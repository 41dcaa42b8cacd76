/** What a caller said about the trace that its request belongs to. */
export interface Trace {
  /** 32 hex digits. */
  readonly traceId: string;
  /** The caller's own span, 16 hex digits. */
  readonly parentId: string;
  readonly isSampled: boolean;
}

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/**
 * Reads a `traceparent` (https://www.w3.org/TR/trace-context/#traceparent-header). What cannot be read counts as absent,
 * as the standard wants; of a later version the part that we know is taken.
 */
export function readTraceparent(header: string | undefined): Trace | undefined {
  const [, version, traceId = '', parentId = '', flags = '', rest] = pattern.exec(header ?? '') ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined;
  return { traceId, parentId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
