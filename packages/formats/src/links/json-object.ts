import { ProblemError } from '@sbox/core';

export type JsonObject = Readonly<Record<string, unknown>>;

/** A JSON object, whatever stands behind its last brace; undefined when the text is none. */
export function parseJsonObject(text: string | undefined): JsonObject | undefined {
  if (text === undefined) return undefined;
  try {
    // Some senders pad the JSON with zero bytes or line feeds.
    const value: unknown = JSON.parse(text.endsWith('}') ? text : text.slice(0, text.lastIndexOf('}') + 1));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A value of JSON as a setting: what is no text is written as JSON, and `null` is empty.
 * @throws ProblemError `node.malformed`
 */
export function settingText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  try {
    return JSON.stringify(value);
  } catch (error) {
    // What JSON.parse reads in a loop is written by recursion, and thousands of brackets exhaust the stack.
    throw new ProblemError('node.malformed', 'the JSON of the link is nested too deep', { cause: error });
  }
}
