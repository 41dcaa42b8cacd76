import { readText } from '../supervisor/cgroup.ts';
import { ok, warning, type Check, type Finding } from './check.ts';

const mib = 1024 * 1024;
const [leastMemoryBytes, leastFiles] = [128 * mib, 4096];

/** Memory that is left, and how many files (so: connections) the agent and its engines may have open. */
export const limitsCheck: Check = {
  name: 'limits',
  look: async (scene) => {
    const pids = { agent: await scene.agentPid(), engine: scene.engines()[0]?.pid };
    const limits = Object.entries(pids).map(([name, pid]) =>
      pid === undefined ? undefined : judgeFiles(name, readText(`/proc/${pid}/limits`)),
    );
    const own = limits.every((limit) => limit === undefined)
      ? judgeFiles('this shell', readText('/proc/self/limits'))
      : undefined;
    return [judgeMemory(readText('/proc/meminfo')), ...limits, own].filter((finding) => finding !== undefined);
  },
};

export function judgeMemory(meminfo: string): Finding {
  const bytesOf = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? Number.NaN) * 1024;
  const available = bytesOf('MemAvailable');
  if (Number.isNaN(available)) return ok('how much memory there is cannot be seen', 'memory');
  const detail = `${Math.floor(available / mib)} MiB of ${Math.floor(bytesOf('MemTotal') / mib)} MiB are free`;
  const fix =
    'A take-over by swap needs room for a second engine; end what is not needed, or add memory or swap space.';
  return available < leastMemoryBytes ? warning(detail, fix, 'memory') : ok(detail, 'memory');
}

export function judgeFiles(name: string, limits: string): Finding | undefined {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  if (soft === undefined) return undefined;
  const about = `open files of ${name}`;
  if (soft === 'unlimited' || Number(soft) >= leastFiles) return ok(`${soft} at most`, about);
  const fix = 'Each connection needs two; set LimitNOFILE=65536 (systemctl edit sboxagent), or: ulimit -n 65536';
  return warning(`${soft} at most`, fix, about);
}
