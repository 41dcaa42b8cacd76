/** Words and numbers that some reader of YAML 1.1 or 1.2 takes for something else than text. */
const ambiguous = /^(?:true|false|yes|no|on|off|y|n|null|nan|inf|[0-9a-f]+)$/i;
const plain = /^[A-Za-z][A-Za-z0-9_./-]*$/;
// JSON leaves these as they are, and YAML has no such characters in its text.
const unprintable = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

/**
 * A value as one line of YAML, in the style of JSON with fewer quotes. Text is plain only where no reader could take it
 * for a number, a flag or a date.
 */
export function yamlFlow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(yamlFlow).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, item]) => `${yamlText(key)}: ${yamlFlow(item)}`)
      .join(', ')}}`;
  }
  return typeof value === 'string' ? yamlText(value) : String(value);
}

const yamlText = (text: string): string =>
  plain.test(text) && !ambiguous.test(text)
    ? text
    : JSON.stringify(text.toWellFormed()).replace(
        unprintable,
        (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
      );
