import { execFileSync } from 'node:child_process';

const table = 'sbox_soak';

function nft(text: string): void {
  execFileSync('nft', ['-f', '-'], { input: text, stdio: ['pipe', 'ignore', 'pipe'] });
}

/** From now on nothing reaches this TCP port and nobody is told, as when a cable is pulled; disposed, it is back. */
export function cutPort(port: number): Disposable {
  nft(`table inet ${table} {
    chain out { type filter hook output priority 0; policy accept; tcp dport ${port} drop; tcp sport ${port} drop; }
  }`);
  return { [Symbol.dispose]: () => nft(`delete table inet ${table}`) };
}

/** Tables that other programs made in this namespace and left there. */
export const tablesLeft = (): string[] =>
  execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '' && !line.includes(table));
