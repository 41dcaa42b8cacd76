import { connect } from 'node:net';
import { readText } from '../supervisor/cgroup.ts';
import { failed, ok, warning, type Check } from './check.ts';
import type { Scene } from './scene.ts';

const maxTargets = 4;
const chooseOthers = 'choose targets that this network lets through, in the probe of the config.';

/** Whether the targets of the probes are reached directly, without any engine. */
export const uplinkCheck: Check = {
  name: 'uplink',
  limitMs: 10_000,
  look: async (scene, signal) => {
    const targets = await targetsOf(scene);
    if (targets.length === 0) return ok('no order has named a probe target yet');
    const tried = await Promise.all(targets.map(async (url) => ({ url, problem: await reach(url, signal) })));
    const dead = tried.filter(({ problem }) => problem !== undefined);
    if (dead.length === 0) return ok(`${targets.join(', ')} reached directly`);
    const detail = dead.map(({ url, problem }) => `${url}: ${problem}`).join('; ');
    if (dead.length < tried.length) return warning(detail, chooseOthers);
    if (!hasDefaultRoute())
      return failed(`${detail}; there is no default route`, 'Bring the network up; see: ip route');
    // Many networks let nothing through but the proxy itself, and are fine.
    return warning(detail, `The network is down, or filters these; see: ip route. If it filters them: ${chooseOthers}`);
  },
};

async function targetsOf(scene: Scene): Promise<string[]> {
  const { current } = await scene.state();
  const urls = current.flatMap(({ unit }) => unit.probe?.urls ?? []);
  return [...new Set(urls)].slice(0, maxTargets);
}

/** Undefined when something takes a connection there. */
async function reach(url: string, signal: AbortSignal): Promise<string | undefined> {
  const target = URL.parse(url);
  if (target === null) return 'is no address';
  const port = Number(target.port || (target.protocol === 'https:' ? 443 : 80));
  const host = target.hostname.replace(/^\[|\]$/g, '');
  return await new Promise((resolve) => {
    const socket = connect({ host, port, signal, timeout: 4000 });
    const end = (problem: string | undefined): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.once('connect', () => end(undefined));
    socket.once('timeout', () => end('no answer'));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

/** Destination and mask of zero in the tables of routes (proc(5)). */
function hasDefaultRoute(): boolean {
  const v4 = /^\S+\t00000000\t/m.test(readText('/proc/net/route'));
  return v4 || /^0{32} 00 .*(?<! lo)$/m.test(readText('/proc/net/ipv6_route'));
}
