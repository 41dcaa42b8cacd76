import { ProblemError } from '@sbox/core';
import { takeFlag, takeInt, takeText, type Params } from '../params.ts';
import { finishNode, requireText, startNode, type ReadNode } from './common.ts';

export const readSnell: ReadNode = (params) => {
  const draft = startNode('snell', params);
  const obfs = takeObfsMode(params);
  return finishNode(draft, params, {
    psk: requireText(params, 'psk', 'the shared key (psk)'),
    version: takeInt(params, 'version', 255),
    obfs_mode: obfs,
    obfs_host: obfs === undefined ? undefined : takeText(params, 'obfs-host'),
    reuse: takeFlag(params, 'reuse') || undefined,
  });
};

function takeObfsMode(params: Params): string | undefined {
  const mode = takeText(params, 'obfs')?.toLowerCase();
  if (mode === undefined || mode === 'none' || mode === 'off') return undefined;
  if (mode === 'http' || mode === 'tls') return mode;
  throw new ProblemError('node.unsupported', `obfuscation ${JSON.stringify(mode.slice(0, 40))} is not known`);
}
