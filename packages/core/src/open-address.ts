/** Schemes of addresses that configurations hold for what is no node: rule-sets, tests, DNS servers. */
const openScheme = /^(?:https?|h3|tls|quic|tcp|udp):\/\/([^\s"\\]*)$/i;
const placeholder = /\$\{[a-z][a-z0-9_.]*\}/g;
const hostAndPort = /^(?:\[[0-9a-f:.]+\]|[\w.-]+)(?::\d+)?$/i;
/** What stands behind one of these in a path is what opens it. */
const opener =
  /^(?:sub|subs|subscribe|subscription|subscriptions|link|links|token|tokens|key|keys|auth|secret|user|users|u|s)$/i;
const plainPath = /^[\w.,~@+-]*$/;
/** Random by its looks: long with digits, very long, digits between letters, mixed letters with digits, or hexadecimal. */
const random = [
  /^(?=.*\d[a-z]+\d).{8,}$/i,
  /^(?=.*\d).{16,}$/,
  /^.{24,}$/,
  /^(?=.*\d)(?=.*[a-z])(?=.*[A-Z]).{12,}$/,
  /^(?=.*\d)(?=.*[a-f])[0-9a-f]{6,}$/i,
];

/**
 * Whether a text is an address with nothing secret in it by its looks, as `https://example.com/rules/geosite-ru.srs`: no
 * user, no query, and no part of the path that could be a token. Where in doubt it is not.
 */
export function isOpenAddress(text: string): boolean {
  // What a template fills in later is no secret yet; a number stands for it in a port too.
  const [, rest] = openScheme.exec(text.replaceAll(placeholder, '1')) ?? [];
  if (rest === undefined) return false;
  const [host = '', ...parts] = rest.split('/');
  if (!hostAndPort.test(host)) return false;
  return parts.every((part, index) => !opener.test(parts[index - 1] ?? '') && isPlainPart(part));
}

const isPlainPart = (part: string): boolean =>
  plainPath.test(part) && part.split(/[.,~@+_-]/).every((word) => !random.some((looks) => looks.test(word)));
