import { isIP } from 'node:net';
import { messageOf, redactText } from '@sbox/core';
import type { ExtraProbe } from '@sbox/protocol';
import { lookByExec, type ExecDeps } from './exec-look.ts';
import type { RunProbe } from './probe.ts';
import type { LookResult } from './probe-state.ts';
import { openDirect } from './connect.ts';
import { getOnce, type ProbeWay } from './request.ts';

/** One look of a unit's probe. `way`: through its engine; null where there is no way through. Never rejects. */
export type Look = (probe: ExtraProbe, way: ProbeWay | null, signal: AbortSignal) => Promise<LookResult>;

export interface LookDeps extends ExecDeps {
  readonly probe: RunProbe;
}

const defaultTimeoutMs = 3000;
const goodStatuses = [200, 204];
/** A page that says whether all is well is short. */
const maxBodyBytes = 64 * 1024;
const maxDetail = 500;

/** Looks of all types. */
export const createLook =
  (deps: LookDeps): Look =>
  async (probe, way, signal) => {
    const timeoutMs = probe.timeout_ms ?? defaultTimeoutMs;
    const limit = AbortSignal.any([AbortSignal.timeout(timeoutMs), signal]);
    try {
      const { ok, detail } = await lookOnce(deps, probe, way, limit);
      return { ok, detail: detail.slice(0, maxDetail) };
    } catch (error) {
      if (signal.aborted) return { ok: null, detail: 'given up' };
      const why = limit.aborted ? `no answer in ${timeoutMs} ms` : redactText(messageOf(error));
      return { ok: false, detail: why.slice(0, maxDetail) };
    }
  };

async function lookOnce(
  deps: LookDeps,
  probe: ExtraProbe,
  way: ProbeWay | null,
  limit: AbortSignal,
): Promise<LookResult> {
  if (probe.type === 'tcp') return await lookByTcp(probe.address, limit);
  if (probe.type === 'http') return await lookByHttp(probe, limit);
  if (probe.type === 'exec') return await lookByExec(deps, probe.command, limit);
  if (way === null) return noWay;
  if (probe.type === 'egress') return await lookByEgress(probe, way, limit);
  const { urls, expect = goodStatuses, need = 1, timeout_ms = defaultTimeoutMs } = probe;
  return await deps.probe(way, { urls, expect, need, timeout_ms }, limit);
}

const noWay: LookResult = { ok: null, detail: 'no inbound of this unit takes a request from here' };

async function lookByTcp(address: string, limit: AbortSignal): Promise<LookResult> {
  const parts = /^(?:\[([0-9a-f:.%]+)\]|([^:]+)):(\d{1,5})$/i.exec(address);
  const host = parts?.[1] ?? parts?.[2];
  if (host === undefined) return { ok: false, detail: `${address} is no HOST:PORT` };
  (await openDirect({ host, port: Number(parts?.[3]) }, limit)).destroy();
  return { ok: true, detail: `${address} takes connections` };
}

async function lookByHttp(probe: Extract<ExtraProbe, { type: 'http' }>, signal: AbortSignal): Promise<LookResult> {
  const { expect = goodStatuses, contains } = probe;
  const url = new URL(probe.url);
  const isRead = contains !== undefined;
  const { status, body } = await getOnce(undefined, url, { maxBodyBytes: isRead ? maxBodyBytes : 0, signal });
  const said = `${url.host} answered ${status}`;
  if (!expect.includes(status)) return { ok: false, detail: said };
  if (isRead && !body.includes(contains)) return { ok: false, detail: `${said} without "${contains}"` };
  return { ok: true, detail: said };
}

/** Through the engine first: where the direct way is dead, what came through cannot have gone there. */
async function lookByEgress(
  probe: Extract<ExtraProbe, { type: 'egress' }>,
  way: ProbeWay,
  limit: AbortSignal,
): Promise<LookResult> {
  const url = new URL(probe.url);
  const seen = async (by: ProbeWay): Promise<string> => {
    const { status, body } = await getOnce(by, url, { maxBodyBytes, signal: limit });
    const address = addressIn(body);
    if (address === undefined) throw new Error(`${url.host} answered ${status} without an address`);
    return address;
  };
  const [exit, direct] = await Promise.all([
    seen(way),
    probe.addresses === undefined ? seen(undefined).catch(() => undefined) : undefined,
  ]);
  if (probe.addresses !== undefined) {
    const ok = probe.addresses.some((one) => addressIn(one) === exit);
    return { ok, detail: `leaves as ${exit}${ok ? '' : `, not as ${probe.addresses.join(', ')}`}` };
  }
  if (direct === undefined) return { ok: true, detail: `leaves as ${exit}; directly nothing answers` };
  return { ok: exit !== direct, detail: `leaves as ${exit}${exit === direct ? ', as without the engine' : ''}` };
}

/** The first address in a text, in one spelling: services answer with it alone, in a line or in JSON. */
export function addressIn(text: string): string | undefined {
  const found = text.split(/[^0-9a-f.:]+/i).find((word) => isIP(word) !== 0);
  if (found === undefined || isIP(found) === 4) return found;
  return new URL(`http://[${found}]/`).hostname.slice(1, -1);
}
