import type { spawn as nodeSpawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { ProblemError, digestOf, messageOf, type Clock } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import { errorFields, type Logger } from '@sbox/daemon/log';
import { runCommand } from '../engines/run-command.ts';
import { openDirect } from '../probe/connect.ts';
import { noMover, type Mover, type Redirect, type Way } from './mover.ts';
import { findObstacle, parseRuleset, tablePrefix } from './ruleset.ts';

export interface RedirectsDeps {
  readonly spawn: typeof nodeSpawn;
  readonly clock: Clock;
  readonly log: Logger;
  /** Two agents on a machine have tables of their own. */
  readonly stateDir: string;
  /** Where nft is looked for, beside the usual places. */
  readonly searchPath?: string | undefined;
}

/** Runs nft with this on its standard input. @throws ProblemError `apply.failed` with its words */
type Nft = (args: readonly string[], input?: string) => Promise<string>;

const timeoutMs = 5000;
/** As much as is kept of a program's output. */
const maxRulesetChars = 256 * 1024;
const usualPlaces = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/run/current-system/sw/bin'];

/** Undefined where nft is not installed. */
function findNft(spawn: typeof nodeSpawn, searchPath = ''): Nft | undefined {
  const places = [...searchPath.split(':').filter((place) => place.startsWith('/')), ...usualPlaces];
  const program = places.map((place) => path.join(place, 'nft')).find((file) => existsSync(file));
  if (program === undefined) return undefined;
  return async (args, input = '') => {
    const result = await runCommand(spawn, { program, args, input, timeoutMs }).catch((cause: unknown) => {
      throw new ProblemError('apply.failed', `nft: ${messageOf(cause)}`, { cause });
    });
    if (result.code === 0) return result.stdout;
    const words = result.isTimedOut ? `no answer after ${timeoutMs} ms` : result.stderr.trim().split('\n')[0];
    throw new ProblemError('apply.failed', `nft: ${words ?? `it ended with ${result.code}`}`);
  };
}

/** `sboxagent_<of the state directory>_`; the name of the unit follows. */
export const prefixOf = (stateDir: string): string =>
  `${tablePrefix}${digestOf(Buffer.from(path.resolve(stateDir)), sha256)
    .slice('sha256:'.length)
    .slice(0, 8)}_`;

/** Names of nftables hold no dots or dashes; what they are replaced by is told apart by a digest. */
function tableOf(stateDir: string, unit: string): string {
  const plain = unit.replaceAll(/\W/g, '_');
  const digest = digestOf(Buffer.from(unit), sha256).slice('sha256:'.length).slice(0, 6);
  return `${prefixOf(stateDir)}${plain === unit ? plain : `${plain}_${digest}`}`;
}

const wildcards = new Set(['', '::', '0.0.0.0']);

/** Only what opens a TCP connection: those from before the table existed are met in the middle, and go on as they are. */
const opening = 'tcp flags & (fin | syn | rst | ack) == syn';

function printRule({ network, listen, from, to }: Redirect): string {
  const port = network === 'tcp' ? `tcp dport ${from} ${opening}` : `udp dport ${from}`;
  if (wildcards.has(listen)) {
    const family = listen === '0.0.0.0' ? 'meta nfproto ipv4 ' : '';
    return `${family}fib daddr type local ${port} redirect to :${to}`;
  }
  return isIP(listen) === 6
    ? `ip6 daddr ${listen} ${port} dnat ip6 to [${listen}]:${to}`
    : `ip daddr ${listen} ${port} dnat ip to ${listen}:${to}`;
}

/**
 * A closed connection is remembered for a second instead of two minutes: a client that uses its port again meanwhile would
 * be brought to the engine that it met then, which may be gone.
 */
const forgetful = ['  ct timeout closed {', '    protocol tcp;', '    policy = { time_wait: 1, close: 1 };', '  }'];

/** Either end may send the first packet that is seen of a connection from before the table existed. */
const forget = (port: number): string[] =>
  ['dport', 'sport'].map((side) => `    tcp ${side} ${port} ct timeout set "closed"`);

/**
 * The whole table, in place of whatever it holds: nft(8) takes a file as one transaction. `forgets`: a kernel may know no
 * time limits of one's own.
 */
export function printTable(table: string, { served, redirects }: Omit<Way, 'isTracked'>, forgets: boolean): string {
  const ports = new Set(served.flatMap(({ network, listen_port }) => (network === 'tcp' ? [listen_port] : [])));
  const rules = redirects.map((redirect) => `    ${printRule(redirect)}`);
  const chain = (hook: string, priority: number): string[] => [
    `  chain ${hook} {`,
    `    type nat hook ${hook} priority ${priority}; policy accept;`,
    // The kernel follows connections only while some rule asks about them: without one, those that were redirected break.
    '    ct state invalid',
    ...(forgets ? [...ports].flatMap(forget) : []),
    ...rules,
    '  }',
  ];
  // What arrives, and what programs of this machine send.
  const chains = [...chain('prerouting', -100), ...chain('output', -100)];
  const lines = [...(forgets && ports.size > 0 ? forgetful : []), ...chains];
  return [`table inet ${table}`, `delete table inet ${table}`, `table inet ${table} {`, ...lines, '}', ''].join('\n');
}

/** The first of these that the kernel would take. @throws ProblemError `apply.failed` when it takes none */
async function findAccepted(nft: Nft, [text = '', ...others]: readonly string[]): Promise<string> {
  try {
    await nft(['-c', '-f', '-'], text);
    return text;
  } catch (error) {
    if (others.length === 0) throw error;
    return await findAccepted(nft, others);
  }
}

async function removeTable(
  { nft, log }: { readonly nft: Nft; readonly log: Logger },
  table: string,
  isOurs: boolean,
): Promise<void> {
  // Named first, so that it may be missing.
  await nft(['-f', '-'], `table inet ${table}\ndelete table inet ${table}\n`).catch(async (error: unknown) => {
    // An earlier agent may have made one; whoever may not even look never made any.
    if (isOurs || (await isThere(nft, table))) throw error;
    log.debug('No table was removed', { table, ...errorFields(error) });
  });
}

const isThere = async (nft: Nft, table: string): Promise<boolean> =>
  await nft(['list', 'table', 'inet', table]).then(
    () => true,
    () => false,
  );

/** Between two looks at the tables: while connections depend on them, and otherwise. */
const [repairMs, idleRepairMs] = [2000, 30_000] as const;

/** The tables of this agent, written as a whole and one after another, and put back when somebody takes them away. */
function createTables(nft: Nft, { clock, log, stateDir }: Pick<RedirectsDeps, 'clock' | 'log' | 'stateDir'>) {
  /** What each table should print, as it did when it was written; one of which that is not known is written once more. */
  const written = new Map<string, { readonly way: Way; readonly text: string | undefined }>();
  /** Units that have none for sure. */
  const without = new Set<string>();
  const stopping = new AbortController();
  let repairing: Promise<void> | undefined;
  let last: Promise<unknown> = Promise.resolve();

  /** So that a repair never brings back what was replaced meanwhile. */
  async function inTurn(work: () => Promise<void>): Promise<void> {
    const turn = last.then(work);
    last = turn.catch(() => {});
    await turn;
  }

  async function write(unit: string, way: Way): Promise<void> {
    const table = tableOf(stateDir, unit);
    const needsNone = way.redirects.length === 0 && !way.isTracked;
    if (needsNone && without.has(unit)) return;
    // Once there, it stays as long as the unit runs: while nobody follows connections, their ends are missed, and days later
    // the kernel would still take a new one for the old.
    if (needsNone && (way.served.length === 0 || !(written.has(unit) || (await isThere(nft, table))))) {
      const isOurs = written.delete(unit);
      if (way.served.length === 0) await removeTable({ nft, log }, table, isOurs);
      without.add(unit);
      return;
    }
    without.delete(unit);
    await nft(
      ['-f', '-'],
      await findAccepted(
        nft,
        [true, false].map((forgets) => printTable(table, way, forgets)),
      ),
    );
    // It is in force whether or not it can be printed now.
    written.set(unit, { way, text: await nft(['list', 'table', 'inet', table]).catch(() => undefined) });
  }

  async function repair(): Promise<void> {
    for (const [unit, { way, text }] of written) {
      const found = await nft(['list', 'table', 'inet', tableOf(stateDir, unit)]).catch(() => '');
      if (found === text || stopping.signal.aborted) continue;
      log.warn('The redirects of a unit were gone and are put back', { unit });
      await write(unit, way);
    }
  }

  async function repairWhileNeeded(): Promise<void> {
    try {
      while (written.size > 0) {
        const isInUse = [...written.values()].some(({ way }) => way.redirects.length > 0);
        await clock.sleep(isInUse ? repairMs : idleRepairMs, stopping.signal);
        await inTurn(repair).catch((error: unknown) => {
          log.error('The redirects could not be put back', errorFields(error));
        });
      }
    } catch {
      // The agent stops; what is redirected stays so.
    } finally {
      repairing = undefined;
    }
  }

  return {
    async write(unit: string, way: Way): Promise<void> {
      await inTurn(async () => await write(unit, way));
      if (written.size > 0) repairing ??= repairWhileNeeded();
    },
    async [Symbol.asyncDispose](): Promise<void> {
      stopping.abort(new ProblemError('command.failed', 'the agent stops'));
      await repairing;
      await last;
    },
  };
}

/**
 * A table outlives the program that made it: where connections still come to an engine on other ports, it stays there, for
 * nobody could take the table away. What was found so once is not looked for again, as an engine may be starting.
 */
export function withoutNft(): Mover {
  const none = noMover('nft is not installed (package nftables)');
  const inForce = new Map<string, string>();
  return {
    ...none,
    async point(unit, way) {
      const key = JSON.stringify(way.redirects);
      if (inForce.get(unit) === key || (await areInForce(way.redirects))) inForce.set(unit, key);
      else await none.point(unit, way);
    },
  };
}

const dialMs = 1000;

/** Whether somebody answers at each of these ports, though the engine listens on others. */
async function areInForce(redirects: readonly Redirect[]): Promise<boolean> {
  const dialed = redirects
    .filter(({ network }) => network === 'tcp')
    .map(async ({ listen, from: port }) => {
      const host = wildcards.has(listen) ? '127.0.0.1' : listen;
      return await openDirect({ host, port }, AbortSignal.timeout(dialMs)).then(
        (socket) => socket.destroy().destroyed,
        () => false,
      );
    });
  const answers = await Promise.all(dialed);
  return answers.length > 0 && answers.every(Boolean);
}

/**
 * Moves connections by a table of nftables for each unit. Sources stay what they are, UDP goes too, and nothing of it
 * depends on this program running on. Tables of others are only read.
 */
export function createRedirects(deps: RedirectsDeps): Mover {
  const nft = findNft(deps.spawn, deps.searchPath);
  if (nft === undefined) return withoutNft();
  const tables = createTables(nft, deps);
  return {
    holdsPorts: false,
    async findProblem(ports) {
      const odd = ports.find(({ listen }) => !wildcards.has(listen) && isIP(listen) === 0);
      if (odd !== undefined) return `connections to ${odd.listen} cannot be redirected`;
      if (isTableFull()) return 'the kernel follows nearly as many connections as it can (nf_conntrack_max)';
      if (hasOldTables()) return 'rules of the older iptables (iptables-legacy) are in force, which nft does not show';
      const sample = ports.map(({ network, listen, listen_port: from }) => ({ network, listen, from, to: from }));
      try {
        const table = `${prefixOf(deps.stateDir)}check`;
        await nft(['-c', '-f', '-'], printTable(table, { served: ports, redirects: sample }, false));
        const ruleset = await nft(['-t', 'list', 'ruleset']);
        if (ruleset.length >= maxRulesetChars) return 'there are more nftables rules than can be looked through';
        return findObstacle(parseRuleset(ruleset), ports, ownAddresses());
      } catch (error) {
        return messageOf(error);
      }
    },
    point: async (unit, way) => await tables.write(unit, way),
    [Symbol.asyncDispose]: async () => await tables[Symbol.asyncDispose](),
  };
}

/** A redirect makes the kernel follow every connection of the machine; what finds no room is dropped. */
function isTableFull(): boolean {
  const read = (name: string): number => Number(readFileSync(`/proc/sys/net/netfilter/nf_conntrack_${name}`, 'utf8'));
  try {
    return read('count') > 0.8 * read('max');
  } catch {
    // Not followed at all until now, or not ours to see.
    return false;
  }
}

/** Tables of the kernel's interface from before nftables, for whoever may see them. */
const hasOldTables = (): boolean =>
  ['/proc/net/ip_tables_names', '/proc/net/ip6_tables_names'].some((file) => {
    try {
      return readFileSync(file, 'utf8').trim() !== '';
    } catch {
      return false;
    }
  });

const ownAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((addresses = []) => addresses.map(({ address }) => address));

/**
 * Removes every table of the agent with this state directory, as when it is uninstalled; without nft there is none.
 * @returns how many there were
 * @throws ProblemError `apply.failed` in the words of nft
 */
export async function removeRedirects({
  spawn,
  stateDir,
  searchPath,
}: Pick<RedirectsDeps, 'spawn' | 'stateDir' | 'searchPath'>): Promise<number> {
  const nft = findNft(spawn, searchPath);
  if (nft === undefined) return 0;
  const prefix = prefixOf(stateDir);
  const tables = (await nft(['list', 'tables'])).split('\n').map((line) => line.trim().split(' '));
  const own = tables.filter(
    ([word, family, name = '']) => word === 'table' && family === 'inet' && name.startsWith(prefix),
  );
  if (own.length > 0) await nft(['-f', '-'], own.map(([, , name]) => `delete table inet ${name}\n`).join(''));
  return own.length;
}
