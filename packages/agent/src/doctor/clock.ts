import { isoTime, printDuration } from '@sbox/core';
import { skewLimitMs } from '../sync/server-clock.ts';
import { failed, ok, warning, type Check, type Finding } from './check.ts';
import { askManagers } from './ask-manager.ts';
import type { Scene } from './scene.ts';

const plausibleNowMs = Date.UTC(2025, 0, 1);
const setClock = 'Set the clock, and keep it right: timedatectl set-ntp true';

/** The clock on its own, against what was written down here, and against the managers that answer. */
export const clockCheck: Check = {
  name: 'clock',
  limitMs: 15_000,
  look: async (scene) => {
    const now = scene.clock.now();
    if (now < plausibleNowMs) return failed(`the clock says ${isoTime(now)}`, setClock);
    const newest = (await scene.state()).journal.records.at(-1)?.at;
    const aheadMs = newest === undefined ? 0 : Date.parse(newest) - now;
    const own =
      aheadMs > skewLimitMs
        ? warning(`the clock says ${isoTime(now)}, but the last step here was written down at ${newest}`, setClock)
        : ok(isoTime(now));
    return [own, ...(await againstManagers(scene))];
  },
};

async function againstManagers(scene: Scene): Promise<Finding[]> {
  const answers = await askManagers(scene);
  return answers.flatMap(({ url, skewMs }) => {
    if (skewMs === undefined || Math.abs(skewMs) <= skewLimitMs) return [];
    const detail = `${printDuration(Math.abs(skewMs))} ${skewMs > 0 ? 'behind' : 'ahead of'} the manager`;
    return [failed(detail, setClock, url)];
  });
}
