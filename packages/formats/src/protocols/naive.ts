import { takeFlag, takeInt, takeText, type Params } from '../params.ts';
import { finishNode, startNode, type ReadNode } from './common.ts';
import { takeUdpOverTcp } from './shadowsocks.ts';
import { quicTls, takeTls } from './tls.ts';

/** Chromium's own TLS is part of the protocol, so there is no choice of a fingerprint. */
export const readNaive: ReadNode = (params) =>
  finishNode(startNode('naive', params, 443), params, {
    username: takeText(params, 'username'),
    password: takeText(params, 'password'),
    insecure_concurrency: takeInt(params, 'insecure-concurrency', 1_024) || undefined,
    extra_headers: takeHeaderLines(params),
    udp_over_tcp: takeUdpOverTcp(params),
    quic: takeFlag(params, 'quic') || undefined,
    tls: takeTls(params, quicTls),
  });

/** `Name: value` by lines; when a line is none, all of them stay where they are. */
function takeHeaderLines(params: Params): Readonly<Record<string, string>> | undefined {
  const lines = (params.get('extra-headers') ?? '').split(/\r\n|\r|\n/).filter((line) => line.trim() !== '');
  const headers = lines.map((line) => /^\s*([^\s:]+)\s*:\s*(.*?)\s*$/.exec(line));
  if (lines.length === 0 || headers.includes(null)) return undefined;
  params.delete('extra-headers');
  return Object.fromEntries(headers.map((match) => [match?.[1] ?? '', match?.[2] ?? '']));
}
