import { ProblemError } from '@sbox/core';
import type { Obfs } from '../node.ts';
import { listOf, setFields, takeInt, takeText, wholeNumber, type Params } from '../params.ts';
import { readPort } from './address.ts';
import { finishNode, requireText, startNode, takeMbps, type ReadNode } from './common.ts';
import { quicTls, takeTls } from './tls.ts';

export const readHysteria2: ReadNode = (params) => {
  const ports = takePortRanges(params);
  const draft = startNode('hysteria2', params, ports === undefined ? 443 : Number(ports[0]?.split(':')[0]));
  const [hopInterval, hopIntervalMax] = takeHopInterval(params);
  return finishNode(draft, params, {
    password: takeText(params, 'password'),
    obfs: takeObfs(params),
    up_mbps: takeMbps(params, 'up'),
    down_mbps: takeMbps(params, 'down'),
    server_ports: ports,
    hop_interval: hopInterval,
    hop_interval_max: hopIntervalMax,
    tls: takeTls(params, quicTls),
  });
};

/** `443,5000-6000` as sing-box's `["443:443","5000:6000"]`. @throws ProblemError `node.invalid-port`. */
function takePortRanges(params: Params): readonly string[] | undefined {
  const text = takeText(params, 'mport');
  return text === undefined ? undefined : listOf(text)?.map(portRange);
}

function portRange(text: string): string {
  const [first, last = first, ...more] = text.split(/[-:]/).map((end) => readPort(end.trim()));
  if (first === undefined || last === undefined || more.length > 0 || first > last) {
    throw new ProblemError('node.invalid-port', 'a range of ports has the form 5000-6000');
  }
  return `${first}:${last}`;
}

/** Seconds, or a range of them that the client picks from at random; anything else is left alone. */
function takeHopInterval(params: Params): readonly [string?, string?] {
  const text = params.get('hop-interval') ?? '';
  const match = /^(\d{1,6})s?(?:-(\d{1,6})s?)?$/.exec(text);
  const min = wholeNumber(match?.[1]);
  const max = wholeNumber(match?.[2]);
  if (!min || max === 0 || (max !== undefined && max < min)) return [];
  params.delete('hop-interval');
  return max === undefined ? [`${min}s`] : [`${min}s`, `${max}s`];
}

const obfsTypes: ReadonlySet<string> = new Set(['salamander', 'gecko']);

function takeObfs(params: Params): Obfs | undefined {
  const type = takeText(params, 'obfs');
  if (type === undefined || type === 'none') return undefined;
  if (!obfsTypes.has(type)) {
    throw new ProblemError('node.unsupported', `obfuscation ${JSON.stringify(type.slice(0, 40))} is not known`);
  }
  return setFields<{ -readonly [Key in keyof Obfs]: Obfs[Key] }>(
    { type, password: requireText(params, 'obfs-password', 'the obfuscation password') },
    {
      min_packet_size: takeInt(params, 'obfs-min-packet-size', 65_535),
      max_packet_size: takeInt(params, 'obfs-max-packet-size', 65_535),
    },
  );
}
