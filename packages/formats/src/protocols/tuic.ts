import { ProblemError } from '@sbox/core';
import { takeFlag, takeText, type Params } from '../params.ts';
import { finishNode, startNode, takeDuration, type ReadNode } from './common.ts';
import { quicTls, takeTls } from './tls.ts';

/** TUIC version 5, or 4 with its single token, which sing-box cannot run. */
export const readTuic: ReadNode = (params) => {
  const uuid = takeText(params, 'uuid');
  const token = takeText(params, 'token');
  const version = takeText(params, 'version');
  const isOld = version === '4' || (version === undefined && uuid === undefined && token !== undefined);
  if (!isOld && uuid === undefined) throw new ProblemError('node.missing-field', 'the user id is missing');
  const password = isOld ? (token ?? takeText(params, 'password') ?? uuid) : (takeText(params, 'password') ?? '');
  if (isOld && password === undefined) throw new ProblemError('node.missing-field', 'the token is missing');
  return finishNode(startNode('tuic', params, 443), params, {
    version: isOld ? '4' : undefined,
    uuid: isOld ? undefined : uuid,
    password,
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
