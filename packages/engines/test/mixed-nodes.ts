import type { Node } from '@sbox/formats';
import { sampleNodes } from './sample-nodes.ts';

/**
 * Many nodes of all the kinds of the samples, each with a server and a name of its own. Of the tunnels, which take
 * memory, there are a few only, and to addresses: before 1.14, sing-box does not start while the name of one is unknown.
 */
export function mixedNodes(count: number): readonly Node[] {
  const usual: readonly Node[] = sampleNodes.filter(({ type }) => type !== 'wireguard');
  const tunnel = tunnelTo('192.0.2.1');
  return Array.from({ length: count }, (_, index) => {
    const sample = index % 500 === 0 ? tunnel : usual[index % usual.length];
    const number = index.toString(32).padStart(4, '0');
    return { ...(sample ?? tunnel), id: `n_${number}`, tag: `🇳🇱 Amsterdam ${index}`, server: `n${index}.example.test` };
  });
}

function tunnelTo(address: string): Node {
  const sample = sampleNodes.find(({ type }) => type === 'wireguard') as Node;
  return { ...sample, peers: (sample.peers ?? []).map((peer) => ({ ...peer, address })) };
}
