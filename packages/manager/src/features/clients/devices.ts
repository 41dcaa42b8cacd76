import { isoTime, type Clock } from '@sbox/core';
import { hwidPattern } from '@sbox/protocol';
import type { Store } from '../../database/store.ts';
import type { ClientDevice, StoredClient } from './clients-repository.ts';

/** What the device rules of a client say to a request. */
export interface DeviceVerdict {
  readonly outcome: 'ok' | 'no-hwid' | 'too-many-devices';
  readonly headers: Readonly<Record<string, string>>;
}

export interface DevicesDeps {
  readonly store: Store;
  readonly clock: Clock;
}

/** How often it is written down that a device was seen. */
const touchEveryMs = 10 * 60_000;
const longestFact = 128;

const active = { 'x-hwid-active': 'true' };
const allowed: DeviceVerdict = { outcome: 'ok', headers: active };

type Headers = Readonly<Record<string, string | undefined>>;

export const hwidOf = (headers: Headers): string | undefined => {
  const hwid = headers['x-hwid']?.trim() ?? '';
  return hwidPattern.test(hwid) ? hwid : undefined;
};

/** Lets known devices in, and new ones while there is room; two that come at once cannot both have the last place. */
export async function admitDevice(
  { store, clock }: DevicesDeps,
  client: StoredClient,
  headers: Headers,
): Promise<DeviceVerdict> {
  const { mode } = client.hwid;
  if (mode === 'off') return { outcome: 'ok', headers: {} };
  const hwid = hwidOf(headers);
  if (hwid === undefined)
    return mode === 'optional'
      ? allowed
      : { outcome: 'no-hwid', headers: { ...active, 'x-hwid-not-supported': 'true' } };
  const now = clock.now();
  const seen = await store.clients.device(client.id, hwid);
  if (seen && Date.parse(seen.seen_at) > now - touchEveryMs) return allowed;
  const device = describe(hwid, headers, isoTime(now));
  return await store.transaction(async (tx) => {
    // The client may have been deleted, or given another limit, since it was looked up.
    const current = await tx.clients.find(client.id);
    const known = current && (await tx.clients.device(client.id, hwid));
    const devices = current ? await tx.clients.countDevices(client.id) : 0;
    if (!current || (!known && devices >= current.hwid.limit))
      return {
        outcome: 'too-many-devices' as const,
        headers: { ...active, 'x-hwid-max-devices-reached': 'true', 'x-hwid-limit': 'true' },
      };
    await tx.clients.putDevice(client.id, device);
    if (!known)
      await tx.events.add('client.device-added', { client_id: client.id, name: current.name, devices: devices + 1 });
    return allowed;
  });
}

function describe(hwid: string, headers: Headers, now: string): ClientDevice {
  return {
    hwid,
    os: fact(headers['x-device-os']),
    os_version: fact(headers['x-ver-os']),
    model: fact(headers['x-device-model']),
    user_agent: fact(headers['user-agent']),
    first_seen_at: now,
    seen_at: now,
  };
}

/** What a stranger wrote, safe to print. */
export const fact = (text: string | undefined): string =>
  (text ?? '').replaceAll(/[^\x20-\x7e\u00a1-\u00ff]/g, '').slice(0, longestFact);
