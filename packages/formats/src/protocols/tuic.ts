import { ProblemError } from '@sbox/core';
import { takeFlag, takeText, type Params } from '../params.ts';
import { finishNode, startNode, takeDuration, type ReadNode } from './common.ts';
import { quicTls, takeTls } from './tls.ts';

/** TUIC version 5; version 4 with its single token has no counterpart in sing-box. */
export const readTuic: ReadNode = (params) => {
  const uuid = takeText(params, 'uuid');
  const token = takeText(params, 'token');
  if (token !== undefined || params.get('version') === '4') {
    throw new ProblemError(
      'node.unsupported',
      'this is TUIC version 4; only version 5 (uuid and password) is supported',
    );
  }
  if (uuid === undefined) throw new ProblemError('node.missing-field', 'the user id is missing');
  if (params.get('version') === '5') params.delete('version');
  return finishNode(startNode('tuic', params, 443), params, {
    uuid,
    password: takeText(params, 'password') ?? '',
    congestion_control: takeOneOf(params, 'congestion_control', congestionControls),
    udp_relay_mode: takeOneOf(params, 'udp_relay_mode', relayModes),
    udp_over_stream: takeFlag(params, 'udp_over_stream') || undefined,
    zero_rtt_handshake: takeFlag(params, 'reduce_rtt') || undefined,
    heartbeat: takeDuration(params, 'heartbeat', 'ms'),
    tls: takeTls(params, quicTls),
  });
};

const congestionControls = new Map([
  ['cubic', 'cubic'],
  ['bbr', 'bbr'],
  ['new_reno', 'new_reno'],
  ['new-reno', 'new_reno'],
  ['newreno', 'new_reno'],
]);
const relayModes = new Map([
  ['native', 'native'],
  ['quic', 'quic'],
]);

/** A value that is not in the table stays in `extra`: the engine's default works as well, an unknown value fails its config. */
function takeOneOf(params: Params, name: string, values: ReadonlyMap<string, string>): string | undefined {
  const value = values.get(params.get(name)?.toLowerCase() ?? '');
  if (value !== undefined) params.delete(name);
  return value;
}
