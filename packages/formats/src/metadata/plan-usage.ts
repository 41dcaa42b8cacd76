import type { PlanUsage } from './metadata.ts';

const maxLength = 1_024;
/** A later moment is one in milliseconds: as seconds it would lie beyond the year 5000. */
const lastSecond = 1e11;
const number = /^\+?\d{1,40}(?:\.\d{0,40})?(?:e[+-]?\d{1,3})?$/i;
const names: ReadonlySet<string> = new Set(['upload', 'download', 'total', 'expire']);

/**
 * Reads `upload=1; download=2; total=3; expire=<seconds since 1970>` as loosely as panels write it: fields may be
 * missing or empty, numbers may have fractions or exponents; a total or an end of 0 means that there is none.
 */
export function readUserinfo(text: string): PlanUsage | undefined {
  const fields = new Map<string, number>();
  for (const part of text.slice(0, maxLength).split(/[;,&]/)) {
    const [, name = '', value = ''] = /^\s*(\w+)\s*[=:]\s*(\S+)\s*$/.exec(part) ?? [];
    const key = name.toLowerCase();
    if (names.has(key) && number.test(value) && Number.isFinite(Number(value))) fields.set(key, Number(value));
  }
  return planUsage(Object.fromEntries(fields));
}

/** Drops what says nothing; undefined when nothing is left. */
export function planUsage({ upload, download, total, expire }: PlanUsage): PlanUsage | undefined {
  const usage: PlanUsage = {
    ...(isAmount(upload) ? { upload } : {}),
    ...(isAmount(download) ? { download } : {}),
    ...(isAmount(total) && total > 0 ? { total } : {}),
    ...endOf(expire),
  };
  return Object.keys(usage).length > 0 ? usage : undefined;
}

const isAmount = (value: number | undefined): value is number =>
  value !== undefined && Number.isFinite(value) && value >= 0;

function endOf(expire: number | undefined): { readonly expire?: number } {
  if (!isAmount(expire)) return {};
  const seconds = Math.floor(expire > lastSecond ? expire / 1_000 : expire);
  return seconds > 0 && seconds <= lastSecond ? { expire: seconds } : {};
}
