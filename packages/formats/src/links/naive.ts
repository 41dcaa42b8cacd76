import type { NodeDraft } from '../node.ts';
import { readNaive } from '../protocols/naive.ts';
import { naiveSpellings } from './spellings.ts';
import { linkParams, setLogin, splitAuthority, type SplitLink } from './split-link.ts';

/** `naive+https://user:pass@host:port?insecure-concurrency=..&extra-headers=..#name`, and `naive+quic://`. */
export function parseNaiveLink(link: SplitLink): NodeDraft {
  const params = linkParams(link, naiveSpellings);
  setLogin(params, splitAuthority(link.body));
  if (link.scheme === 'naive+quic') params.set('quic', '1');
  return readNaive(params);
}
