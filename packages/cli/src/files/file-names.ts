/** What may not stand in a file's name as it is, on every system. */
const strange = /[^A-Za-z0-9._=,()!-]+/g;

/**
 * The file of a thing, without its ending. A first `:` parts a kind from a name (`server:nl-1`) and becomes `.`; what a file
 * system could stumble over is written as in addresses.
 */
export const fileNameOf = (name: string): string =>
  name.replace(':', '.').replaceAll(strange, (chars) => encodeURIComponent(chars));
