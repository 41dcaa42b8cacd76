// The ways in which an engine takes a new version, how to make an agent choose each, and what it may cost.
import type { ReloadStrategy, Unit } from '@sbox/protocol';

export type ReloadConfig = 'small' | 'large';

export interface StrategyCase {
  readonly name: string;
  /** What the status has to say. */
  readonly strategy: ReloadStrategy;
  readonly summary: string;
  /** Settings of the agent that leave this one as the gentlest. */
  readonly settings: Readonly<Record<string, string>>;
  readonly reload: Unit['reload'];
  /** With one, the engine has a cache file for the choice, and opening that takes it 10 ms. */
  readonly hasSelector: boolean;
  /** What is different in the next version. */
  readonly change: 'nothing' | 'choice' | 'node';
  /** Requests that each reload may lose, 100 being begun a second; the measured table of the design. */
  readonly mayLose: Readonly<Record<ReloadConfig, number>>;
  readonly mayCut: boolean;
}

const none = { small: 0, large: 0 };

export const strategyCases: readonly StrategyCase[] = [
  {
    name: 'no-op',
    strategy: 'no-op',
    summary: 'the same content as a new generation',
    settings: { APPLY_SWAP: 'auto' },
    reload: 'auto',
    hasSelector: true,
    change: 'nothing',
    mayLose: none,
    mayCut: false,
  },
  {
    name: 'live',
    strategy: 'live',
    summary: "another choice, told through the engine's API",
    settings: { APPLY_SWAP: 'auto' },
    reload: 'auto',
    hasSelector: true,
    change: 'choice',
    mayLose: none,
    mayCut: false,
  },
  {
    name: 'swap-nft',
    strategy: 'swap',
    summary: 'a second engine, nftables redirects to it, the old one drains',
    settings: { APPLY_SWAP: 'auto' },
    reload: 'auto',
    hasSelector: true,
    change: 'node',
    mayLose: none,
    mayCut: false,
  },
  {
    name: 'swap-front',
    strategy: 'swap',
    summary: 'the same behind a TCP front in the agent',
    settings: { APPLY_SWAP: 'front' },
    reload: 'auto',
    hasSelector: true,
    change: 'node',
    mayLose: none,
    mayCut: false,
  },
  {
    name: 'overlap',
    strategy: 'overlap',
    summary: 'both engines on the same ports for a moment',
    settings: { APPLY_SWAP: 'off' },
    reload: 'auto',
    hasSelector: true,
    change: 'node',
    mayLose: { small: 1 / 15, large: 1 / 15 },
    mayCut: true,
  },
  {
    name: 'in-place',
    strategy: 'in-place',
    summary: 'SIGHUP, a config with nothing to remember, as it was measured before',
    settings: {},
    reload: 'in-place',
    hasSelector: false,
    change: 'node',
    mayLose: { small: 6 / 15, large: 112 / 5 },
    mayCut: true,
  },
  {
    name: 'in-place-cache',
    strategy: 'in-place',
    summary: 'SIGHUP, a config with a selector, so with a cache file',
    settings: {},
    reload: 'in-place',
    hasSelector: true,
    change: 'node',
    // Never measured before.
    mayLose: { small: Infinity, large: Infinity },
    mayCut: true,
  },
  {
    name: 'restart',
    strategy: 'restart',
    summary: 'SIGTERM and start',
    settings: {},
    reload: 'restart',
    hasSelector: true,
    change: 'node',
    // The large one was never measured before.
    mayLose: { small: 103 / 15, large: Infinity },
    mayCut: true,
  },
];
