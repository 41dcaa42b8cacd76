/** What a provider says about the plan, in bytes. */
export interface Usage {
  readonly upload: number | null;
  readonly download: number | null;
  readonly total: number | null;
  readonly expire_at: string | null;
}

const lastTimeS = 8_640_000_000_000;

/** Reads `subscription-userinfo: upload=1; download=2; total=3; expire=<seconds since 1970>`, as clients of the field do. */
export function parseUsage(header: string | undefined): Usage | undefined {
  if (header === undefined) return undefined;
  const fields = new Map(
    header
      .slice(0, 1024)
      .split(/[;,]/)
      .flatMap((part): [string, number][] => {
        const [, key = '', value = ''] = /^\s*(\w+)\s*=\s*(\d+(?:\.\d+)?)\s*$/.exec(part) ?? [];
        return key ? [[key.toLowerCase(), Number(value)]] : [];
      }),
  );
  if (fields.size === 0) return undefined;
  const expireS = fields.get('expire') ?? 0;
  return {
    upload: fields.get('upload') ?? null,
    download: fields.get('download') ?? null,
    total: fields.get('total') ?? null,
    expire_at: expireS > 0 && expireS <= lastTimeS ? new Date(expireS * 1000).toISOString() : null,
  };
}
