/** One object of a JSON document. */
export type Json = Record<string, unknown>;

export const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The object itself, or an empty one where the document has something else. */
export const asRecord = (value: unknown): Json => (isRecord(value) ? value : {});

/** The objects of a list, and nothing when it is no list. */
export const recordsIn = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isRecord) : []);

/** The texts of a list; sing-box takes a single text for a list of one. */
export const textsIn = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).filter((item): item is string => typeof item === 'string');

/** sing-box names what has no tag by its place in the list. */
export const tagOf = (item: Json, index: number): string =>
  typeof item['tag'] === 'string' && item['tag'] !== '' ? item['tag'] : String(index);

/** Whether a server is named rather than numbered: somebody has to look its address up. */
export const isDomain = (server: unknown): boolean =>
  typeof server === 'string' && server !== '' && !server.includes(':') && !/^\d+(\.\d+){3}$/.test(server);
