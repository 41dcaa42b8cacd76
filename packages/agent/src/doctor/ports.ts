import { networkInterfaces } from 'node:os';
import type { ListenPort } from '@sbox/engines/sing-box/run';
import { readText } from '../supervisor/cgroup.ts';
import { servedBy } from '../state/slots.ts';
import type { ListeningSocket } from '../supervisor/proc.ts';
import { failed, ok, warning, type Check, type Finding } from './check.ts';
import type { Scene } from './scene.ts';

const netBindService = 10;

/** Each port that the config in use wants: who holds it, whether its address is there, whether it may be opened. */
export const portsCheck: Check = {
  name: 'ports',
  look: async (scene) => {
    const { current } = await scene.state();
    const wanted = current.flatMap(({ report }) => report.listens);
    if (wanted.length === 0) return ok('no config wants a port yet');
    const isPrivileged = await findPrivileged(scene);
    const judge = createJudge(scene);
    const findings = wanted.map((port) => judge(port) ?? (isPrivileged(port) ? needsCapability(port) : undefined));
    // What programs connect to may be redirected to what the engine opens; a later version opens it itself.
    const behind = current.flatMap(servedBy).filter((port) => !wanted.some((other) => isEqualPort(other, port)));
    const later = behind.flatMap((port) => {
      const finding = judge(port);
      return finding === undefined ? [] : [{ ...finding, verdict: 'warning' as const }];
    });
    const trouble = findings.filter((finding) => finding !== undefined);
    const summary = trouble.length < wanted.length ? [ok(describe(current.flatMap(servedBy), scene))] : [];
    return [...summary, ...trouble, ...later];
  },
};

const isEqualPort = (a: ListenPort, b: ListenPort): boolean =>
  a.network === b.network && a.listen_port === b.listen_port && a.listen === b.listen;

const describe = (served: readonly ListenPort[], scene: Scene): string => {
  const places = [...new Set(served.map(printPort))].join(', ');
  return scene.engines().length > 0 ? `served by our engines: ${places}` : `wanted, no engine runs: ${places}`;
};

const printPort = ({ listen, listen_port, network }: ListenPort): string =>
  `${listen.includes(':') ? `[${listen}]` : listen || '*'}:${listen_port}${network === 'udp' ? '/udp' : ''}`;

/** Undefined when nothing stands in the way. Ports are only looked up, because opening one could stop an engine's start. */
function createJudge(scene: Scene): (port: ListenPort) => Finding | undefined {
  const { proc } = scene;
  const listeners = proc.listeners();
  const own = new Set(scene.engines().flatMap(({ pid }) => [...proc.socketsOf(pid)]));
  const addresses = new Set(ownAddresses());
  return (port) => {
    const about = printPort(port);
    const holders = listeners.filter((other) => isSamePort(other, port));
    if (holders.some(({ inode }) => own.has(inode))) return undefined;
    const foreign = holders[0];
    if (foreign !== undefined) {
      const { name, pid } = holderOf(scene, foreign.inode);
      const fix = `Stop it${pid === undefined ? '' : ` (kill ${pid})`}, or choose another port in the settings: ports: {${port.tag}: N}`;
      return failed(`inbound "${port.tag}" wants it, ${name} has it`, fix, about);
    }
    if (isWildcard(port.listen) || addresses.has(port.listen) || port.listen.startsWith('127.')) return undefined;
    return failed(
      `inbound "${port.tag}" listens on an address that this machine does not have`,
      'Give the interface the address (ip addr), or change the config.',
      about,
    );
  };
}

/** Of all interfaces of this machine. */
export const ownAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address));

const isWildcard = (address: string): boolean => ['', '::', '0.0.0.0'].includes(address);

/** Addresses of IPv6 count as the same: a wildcard there usually takes IPv4 too. */
function isSamePort({ network, port, address }: ListeningSocket, wanted: ListenPort): boolean {
  if (network !== wanted.network || port !== wanted.listen_port) return false;
  if (isWildcard(wanted.listen) || wanted.listen.includes(':') || address.length > 8 || /^0+$/.test(address))
    return true;
  return address.toUpperCase() === hexOf(wanted.listen);
}

/** As /proc/net/tcp has it: four bytes, the last one first. */
const hexOf = (address: string): string =>
  address
    .split('.')
    .toReversed()
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase();

function holderOf({ proc }: Scene, inode: string): { name: string; pid: number | undefined } {
  for (const pid of proc.pids()) {
    if (proc.socketsOf(pid).has(inode)) return { name: `${proc.argumentsOf(pid)[0] ?? 'a program'} (pid ${pid})`, pid };
  }
  return { name: 'a program that only root can see', pid: undefined };
}

const needsCapability = (port: ListenPort): Finding =>
  warning(
    `inbound "${port.tag}" wants a privileged port, and the agent has no right to open one`,
    'Give the service AmbientCapabilities=CAP_NET_BIND_SERVICE (systemctl edit sboxagent).',
    printPort(port),
  );

/** Engines inherit the rights of the agent: of the one that runs, else of the user that owns the state directory. */
async function findPrivileged(scene: Scene): Promise<(port: ListenPort) => boolean> {
  const first = Number(readText('/proc/sys/net/ipv4/ip_unprivileged_port_start') || 1024);
  const pid = (await scene.agentPid()) ?? 'self';
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec(readText(`/proc/${pid}/status`))?.[1];
  const mayOpen = effective === undefined || ((BigInt(`0x${effective}`) >> BigInt(netBindService)) & 1n) === 1n;
  return ({ listen_port }) => !mayOpen && listen_port < first;
}
