import type { NodeType } from '../node.ts';
import { takeText } from '../params.ts';
import { finishNode, startNode, type ReadNode } from './common.ts';
import { takeTls, usualTls, optionalTls } from './tls.ts';

/** Kinds that are kept for engines which know them: the usual fields are read, the others stay in `extra`. */
export type KeptType = Extract<
  NodeType,
  'trusttunnel' | 'h2-connect' | 'masque' | 'sudoku' | 'tailscale' | 'gost-relay'
>;

const defaultPorts: Partial<Readonly<Record<KeptType, number>>> = { trusttunnel: 443, 'h2-connect': 443, masque: 443 };
const insideTls: ReadonlySet<KeptType> = new Set<KeptType>(['trusttunnel', 'h2-connect', 'masque']);

export const readKept =
  (type: KeptType): ReadNode =>
  (params) =>
    finishNode(startNode(type, params, defaultPorts[type]), params, {
      username: takeText(params, 'username'),
      password: takeText(params, 'password'),
      tls: takeTls(params, insideTls.has(type) ? usualTls : optionalTls),
    });
