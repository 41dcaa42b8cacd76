import { asRecord, isRecord, recordsIn, textsIn, type Json } from '../document.ts';

/** What a running engine can be told: which member each selector uses, and the mode. */
export interface Defaults {
  readonly selectors: Readonly<Record<string, string>>;
  /** Undefined where the configuration names none. */
  readonly mode: string | undefined;
}

/** More selectors than people choose in; what is told of them stays small. */
const maxSelectors = 200;

/** The selectors whose choice can be told. */
const toldIn = (config: Json): Json[] =>
  recordsIn(config['outbounds'])
    .filter(({ type, tag }) => type === 'selector' && typeof tag === 'string')
    .slice(0, maxSelectors);

/**
 * A configuration as text, without what a running engine can be told and whatever the order of its keys: two with the same
 * text differ at most in their `defaultsOf`.
 */
export function shapeOf(config: Json): string {
  const told = new Set(toldIn(config));
  const { experimental, outbounds, ...rest } = config;
  const { clash_api, ...others } = asRecord(experimental);
  const { default_mode: _, ...api } = asRecord(clash_api);
  const blanked = recordsIn(outbounds).map((outbound) => {
    if (!told.has(outbound)) return outbound;
    const { default: _chosen, ...selector } = outbound;
    return selector;
  });
  return printSorted({ ...rest, experimental: { ...others, clash_api: api }, outbounds: blanked });
}

const printSorted = (value: unknown): string =>
  JSON.stringify(value, (_, item: unknown) =>
    isRecord(item) ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1))) : item,
  );

/** What is used while nobody has chosen. */
export function defaultsOf(config: Json): Defaults {
  const used = toldIn(config).flatMap(({ tag, default: chosen, outbounds: members }): [string, string][] => {
    const first: unknown = chosen || textsIn(members)[0];
    return typeof first === 'string' ? [[String(tag), first]] : [];
  });
  const mode = asRecord(asRecord(config['experimental'])['clash_api'])['default_mode'];
  return { selectors: Object.fromEntries(used), mode: typeof mode === 'string' && mode !== '' ? mode : undefined };
}
