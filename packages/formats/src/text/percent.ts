/** Decodes percent escapes once and never fails: what is no escape, or not UTF-8, stays as it stands; `+` stays `+`. */
export function decodePercent(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text.replace(/(?:%[0-9a-f]{2})+/gi, decodeRun);
  }
}

/** Decodes a run of escapes character by character, so that one bad byte costs only itself. */
function decodeRun(run: string): string {
  let decoded = '';
  for (let at = 0; at < run.length;) {
    const size = 3 * utf8Length(Number.parseInt(run.slice(at + 1, at + 3), 16));
    const character = decodeOrKeep(run.slice(at, at + size));
    const step = character === undefined ? 3 : size;
    decoded += character ?? run.slice(at, at + step);
    at += step;
  }
  return decoded;
}

const utf8Length = (lead: number): number => (lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4);

function decodeOrKeep(escapes: string): string | undefined {
  try {
    return decodeURIComponent(escapes);
  } catch {
    return undefined;
  }
}
