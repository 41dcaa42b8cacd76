import type { spawn as nodeSpawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { ProblemError, digestOf, messageOf, type Clock } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import { errorFields, type Logger } from '@sbox/daemon/log';
import { runCommand } from '../engines/run-command.ts';
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

/** The whole table, in place of whatever it holds: nft(8) takes a file as one transaction. */
export function printTable(table: string, redirects: readonly Redirect[]): string {
  const rules = redirects.map((redirect) => `    ${printRule(redirect)}`);
  const chain = (hook: string, priority: number): string[] => [
    `  chain ${hook} {`,
    `    type nat hook ${hook} priority ${priority}; policy accept;`,
    // The kernel follows connections only while some rule asks about them: without one, those that were redirected break.
    '    ct state invalid',
    ...rules,
    '  }',
  ];
  // What arrives, and what programs of this machine send.
  const lines = [...chain('prerouting', -100), ...chain('output', -100)];
  return [`table inet ${table}`, `delete table inet ${table}`, `table inet ${table} {`, ...lines, '}', ''].join('\n');
}

const repairMs = 2000;

/** The tables of this agent, written as a whole and one after another, and put back when somebody takes them away. */
function createTables(nft: Nft, { clock, log, stateDir }: Pick<RedirectsDeps, 'clock' | 'log' | 'stateDir'>) {
  /** What each table should print, as it did when it was written. */
  const written = new Map<string, { readonly way: Way; readonly text: string }>();
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
    if (way.redirects.length === 0 && !way.isTracked) {
      if (without.has(unit)) return;
      const isOurs = written.delete(unit);
      // Named first, so that it may be missing.
      await nft(['-f', '-'], `table inet ${table}\ndelete table inet ${table}\n`).catch((error: unknown) => {
        if (isOurs) throw error;
        // Whoever may not remove a table never made one.
        log.debug('No table was removed', { table, ...errorFields(error) });
      });
      without.add(unit);
      return;
    }
    const text = printTable(table, way.redirects);
    without.delete(unit);
    await nft(['-c', '-f', '-'], text);
    await nft(['-f', '-'], text);
    written.set(unit, { way, text: await nft(['list', 'table', 'inet', table]) });
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
        await clock.sleep(repairMs, stopping.signal);
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

const notInstalled = 'nft is not installed (package nftables)';

/**
 * Moves connections by a table of nftables for each unit. Sources stay what they are, UDP goes too, and nothing of it
 * depends on this program running on. Tables of others are only read.
 */
export function createRedirects(deps: RedirectsDeps): Mover {
  const nft = findNft(deps.spawn, deps.searchPath);
  if (nft === undefined) return noMover(notInstalled);
  const tables = createTables(nft, deps);
  return {
    holdsPorts: false,
    async findProblem(ports) {
      const odd = ports.find(({ listen }) => !wildcards.has(listen) && isIP(listen) === 0);
      if (odd !== undefined) return `connections to ${odd.listen} cannot be redirected`;
      if (hasOldTables()) return 'rules of the older iptables (iptables-legacy) are in force, which nft does not show';
      const sample = ports.map(({ network, listen, listen_port: from }) => ({ network, listen, from, to: from }));
      try {
        await nft(['-c', '-f', '-'], printTable(`${prefixOf(deps.stateDir)}check`, sample));
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
