import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from '@jest/globals';
import { createClient, operatorContract } from '@sbox/protocol';
import { createTransport } from './open-manager.ts';
import { verifyAudit } from './verify-audit.ts';

const rounds = 6;
const source = { type: 'inline' as const, text: 'trojan://example-password@192.0.2.1:443#One' };

/** One manager as a process of its own. */
const program = `
const { serve } = await import(process.argv[1]);
const limits = { anonymous: 100000, token: 100000, agent: 100000, enrol: 100000 };
const flags = { data_dir: process.argv[2], listen: [{ address: '127.0.0.1:0' }], limits };
const { signal } = new AbortController();
await serve({ flags, environment: {}, ready: true }, { stdout: process.stdout, signal });
`;

async function startChild(dataDirectory: string) {
  const serveFile = path.join(import.meta.dirname, '../src/serve.ts');
  const args = ['--input-type=module', '-e', program, serveFile, dataDirectory];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { url, admin_token_file } = JSON.parse(line) as { url: string; admin_token_file: string };
  const token = (await readFile(admin_token_file, 'utf8')).trim();
  const client = createClient(
    operatorContract,
    createTransport(url, () => ({ authorization: `Bearer ${token}` })),
  );
  const kill = async (): Promise<void> => {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return { client, kill };
}

test('whatever was acknowledged is there after SIGKILL at any moment, whole and once', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'sbox-crash-'));
  const data = path.join(directory, 'data');
  const acknowledged: string[] = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      const { client, kill } = await startChild(data);
      const writing = Promise.all(
        Array.from({ length: 30 }, async (_, index) => {
          const name = `s${round}-${index}`;
          const headers = { 'idempotency-key': name };
          try {
            await client.subscriptions.add({ headers, body: { name, source } });
            acknowledged.push(name);
          } catch {
            // It was cut off: there or not there, but never half.
          }
        }),
      );
      // Some of the thirty have been answered by then, at another point each round.
      while (acknowledged.length < round * 7 + 3) await new Promise((resolve) => setImmediate(resolve));
      await kill();
      await writing;
    }
    const { client, kill } = await startChild(data);
    const { items } = await client.subscriptions.list({ query: { limit: 1000 } });
    const names = items.map(({ name }) => name);
    expect(acknowledged.filter((name) => !names.includes(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
    // What was done is recorded, what was not done is not, and nothing of it was torn.
    const { entries, ...chain } = await verifyAudit(client);
    expect(chain).toMatchObject({ ok: true, first: 1, last: entries.length });
    const recorded = entries.flatMap(({ change }) =>
      change.flatMap((event) => (event.type === 'subscription.created' ? [String(event.data['name'])] : [])),
    );
    expect(recorded.toSorted()).toEqual(names.toSorted());
    // Asking again with the same key does not do it again.
    const again = acknowledged[0] ?? '';
    const { id } = await client.subscriptions.add({
      headers: { 'idempotency-key': again },
      body: { name: again, source },
    });
    expect(items.find(({ name }) => name === again)?.id).toBe(id);
    await kill();
    const database = new DatabaseSync(path.join(data, 'sbox.db'));
    expect(database.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
    expect(database.prepare('pragma foreign_key_check').all()).toEqual([]);
    const { count, last } = database.prepare('select count(*) count, max(seq) last from events').get() as never;
    expect(count).toBe(last);
    database.close();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}, 60_000);
