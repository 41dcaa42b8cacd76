import { ProblemError } from '@sbox/core';

const domain = /^[\p{L}\p{N}\p{M}_](?:[\p{L}\p{N}\p{M}._-]{0,251}[\p{L}\p{N}\p{M}._])?$/u;
const asciiDomain = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9._])?$/;
const ipv6 = /^(?=.*:)(?:[0-9a-f]{0,4}:){2,7}(?:[0-9a-f]{0,4}|(?:\d{1,3}\.){3}\d{1,3})$/i;

export const isIpv6 = (text: string): boolean =>
  ipv6.test(text) &&
  !text.includes(':::') &&
  text.split('::').length <= 2 &&
  (text.includes('::') || hasAllGroups(text));

const hasAllGroups = (text: string): boolean => text.split(':').length === (text.includes('.') ? 7 : 8);

/** A host name or IP address without brackets. @throws ProblemError `node.missing-field`, `node.invalid-value`. */
export function readServer(text: string | undefined): string {
  if (text !== undefined && asciiDomain.test(text)) return text;
  const server = text?.trim().replace(/^\[(.*)\]$/, '$1') ?? '';
  if (server === '') throw new ProblemError('node.missing-field', 'the server is missing');
  if (isIpv6(server) || domain.test(server)) return server;
  throw new ProblemError('node.invalid-value', 'the server is neither a host name nor an IP address');
}

/** The number that up to five digits make, 0 when the text is not that; a pattern takes longer than so few characters. */
function portNumber(text: string): number {
  if (text.length > 5) return 0;
  let port = 0;
  for (let at = 0; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return 0;
    port = port * 10 + digit;
  }
  return port;
}

/** Digits only, 1 to 65535. @throws ProblemError `node.invalid-port`. */
export function readPort(text: string | undefined, fallback?: number): number {
  if ((text === undefined || text === '') && fallback !== undefined) return fallback;
  const port = text === undefined ? 0 : portNumber(text);
  if (port >= 1 && port <= 65_535) return port;
  // Only digits are repeated: anything else may be a password in the wrong place.
  const shown = text !== undefined && /^\d{1,10}$/.test(text) ? `the port is ${text}, which is` : 'the port is';
  throw new ProblemError('node.invalid-port', text ? `${shown} not a number from 1 to 65535` : 'the port is missing');
}
