import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import { readMieru } from '../protocols/mieru.ts';
import { decodePercent } from '../text/percent.ts';
import { mieruSpellings } from './spellings.ts';
import { linkParams, setLogin, setPortRanges, splitAuthority, type SplitLink } from './split-link.ts';

/**
 * `mierus://user:pass@host?port=6666&protocol=TCP&port=9998-9999&protocol=UDP&profile=name`: ports and protocols come in
 * pairs, and each pair is a node of its own. Some senders write one port behind the host instead.
 * @see https://github.com/enfein/mieru/blob/main/docs/client-install.md
 */
export function mieruReaders(link: SplitLink): readonly (() => NodeDraft)[] {
  const authority = splitAuthority(link.body);
  if (authority.user === undefined) {
    throw new ProblemError(
      'node.unsupported',
      'this is a packed config of mieru: ask for the mierus:// form of the link',
    );
  }
  const ports = valuesOf(link, 'port');
  const protocols = valuesOf(link, 'protocol');
  const query = link.query.replace(/(^|&)(?:port|protocol)=[^&]*/g, '');
  const read = (port: string, protocol: string | undefined, isNamed: boolean): NodeDraft => {
    const params = linkParams({ ...link, query }, mieruSpellings);
    setLogin(params, authority);
    if (isNamed) {
      params.set('port', port);
      setPortRanges(params, { ...authority, port });
    } else setPortRanges(params, authority);
    if (protocol !== undefined) params.set('protocol', protocol);
    const base = params.get('name') ?? params.get('profile');
    if (base) params.set('name', isNamed ? `${base}:${port}/${(protocol ?? 'TCP').toUpperCase()}` : base);
    return readMieru(params);
  };
  return ports.length === 0
    ? [() => read('', protocols[0], false)]
    : ports.map((port, index) => () => read(port, protocols[index] ?? protocols.at(-1), true));
}

const valuesOf = ({ query }: SplitLink, key: string): readonly string[] =>
  query.split('&').flatMap((pair) => (pair.startsWith(`${key}=`) ? [decodePercent(pair.slice(key.length + 1))] : []));
