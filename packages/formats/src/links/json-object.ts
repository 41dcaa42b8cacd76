/** The scalars of a JSON object as text; undefined when the text is no JSON object. */
export function readJsonObject(text: string | undefined): Map<string, string> | undefined {
  if (text === undefined) return undefined;
  try {
    // Some senders pad the JSON with zero bytes or line feeds: it ends with its last brace.
    const value: unknown = JSON.parse(text.slice(0, text.lastIndexOf('}') + 1));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return new Map(Object.entries(value).map(([key, item]: [string, unknown]) => [key, scalarText(item)]));
  } catch {
    return undefined;
  }
}

function scalarText(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === null || value === undefined ? '' : JSON.stringify(value);
}
