import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import { takeFlag, type Params } from '../params.ts';
import { readPluginOptions } from '../protocols/shadowsocks.ts';
import { readTrojan } from '../protocols/trojan.ts';
import { splitOnce } from '../text/split-once.ts';
import { trojanSpellings } from './spellings.ts';
import { linkParams, requireUser, setAddress, splitAuthority, type SplitLink } from './split-link.ts';

/** `trojan://password@host:port?parameters#name`; TLS is on unless `security=none`. */
export function parseTrojanLink(link: SplitLink): NodeDraft {
  const authority = splitAuthority(link.body);
  const params = linkParams(link, trojanSpellings);
  params.set('password', requireUser(authority, 'the password'));
  setAddress(params, authority);
  setWebSocketFlag(params);
  setObfsPlugin(params);
  refuseInnerShadowsocks(params);
  return readTrojan(params);
}

/** Shadowrocket writes a WebSocket as a plugin: `plugin=obfs-local;obfs=websocket;obfs-host=..;obfs-uri=..`. */
function setObfsPlugin(params: Params): void {
  const plugin = params.get('plugin');
  if (plugin === undefined) return;
  const [name, options] = splitOnce(plugin, ';');
  const given = name === 'obfs-local' ? new Map(readPluginOptions(options)) : undefined;
  if (given?.get('obfs') !== 'websocket' || params.get('type')) return;
  params.delete('plugin');
  params.set('type', 'ws');
  params.set('host', given.get('obfs-host') ?? '');
  params.set('path', given.get('obfs-uri') ?? '');
}

/** trojan-go can put Shadowsocks under its protocol: without it the server understands nothing. */
function refuseInnerShadowsocks(params: Params): void {
  if (params.get('encryption')?.startsWith('ss;') !== true) return;
  throw new ProblemError('node.unsupported', "trojan-go's inner Shadowsocks (encryption) is something no engine runs");
}

/** `ws=1&wspath=/x`, as Surge-minded panels write it. */
function setWebSocketFlag(params: Params): void {
  if (takeFlag(params, 'ws') === true && !params.get('type')) params.set('type', 'ws');
}
