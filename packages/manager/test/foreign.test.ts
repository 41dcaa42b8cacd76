import { DatabaseSync } from 'node:sqlite';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { everything, reachOf, roleNames, type RoleName } from '@sbox/protocol';
import {
  ask,
  makeOneOfEach,
  namingsOf,
  nobodys,
  operatorRoutes,
  subjectOf,
  type Names,
  type Send,
} from './every-thing.ts';
import { createTransport, openManager, type TestManager } from './open-manager.ts';
import { sendExample } from './send-example.ts';

const senderOf = ({ manager }: TestManager, token: string | undefined): Send =>
  createTransport(manager.url, (): Record<string, string> =>
    token === undefined ? {} : { authorization: `Bearer ${token}` },
  );

/** Tables in which every row is of a tenant. */
const tablesOf = (db: DatabaseSync): string[] =>
  db
    .prepare(
      `SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = 'tenant_id' WHERE m.type = 'table'`,
    )
    .all()
    .map(({ name }) => String(name));

const openRaw = ({ directory }: TestManager): DatabaseSync =>
  new DatabaseSync(path.join(directory, 'data', 'sbox.db'), { enableForeignKeyConstraints: false });

/** All that there is becomes another tenant's, but for what the manager itself is, and for its first token. */
function giveAway(manager: TestManager): void {
  const db = openRaw(manager);
  // The audit log is only ever added to: its guards stand aside for this.
  const guards = db.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all();
  for (const { name } of guards) db.exec(`DROP TRIGGER ${String(name)}`);
  for (const table of tablesOf(db)) {
    if (table === 'meta') continue;
    db.exec(`UPDATE ${table} SET tenant_id = 'other' ${table === 'access_tokens' ? `WHERE name <> 'admin'` : ''}`);
  }
  for (const { sql } of guards) db.exec(String(sql));
  db.close();
}

/** Every row of the other tenant. */
function rowsOfOther(manager: TestManager): Record<string, unknown[]> {
  const db = openRaw(manager);
  const rows = tablesOf(db).map((table): [string, unknown[]] => [
    table,
    db.prepare(`SELECT * FROM ${table} WHERE tenant_id = 'other' ORDER BY 1, 2, 3`).all(),
  ]);
  db.close();
  return Object.fromEntries(rows);
}

/** What differs between naming somebody else's thing and naming nothing. */
async function differences(send: Send, names: Names, who: string): Promise<{ wrong: string[]; asked: number }> {
  const wrong: string[] = [];
  const unknowns = new Map<string, ReturnType<typeof ask>>();
  let asked = 0;
  for (const route of operatorRoutes) {
    for (const naming of namingsOf(route, names)) {
      const foreign = await ask(send, naming.route, naming.name);
      const answer = unknowns.get(naming.at) ?? ask(send, naming.unknown, nobodys);
      unknowns.set(naming.at, answer);
      const unknown = await answer;
      asked += 1;
      if (foreign.status >= 400 && JSON.stringify(foreign) === JSON.stringify(unknown)) continue;
      wrong.push(`${who} ${route.id} ${naming.name}: ${JSON.stringify(foreign)}, not ${JSON.stringify(unknown)}`);
    }
  }
  return { wrong, asked };
}

/** Names of somebody else's things in what lists answer. */
async function shownIn(send: Send, names: Names): Promise<string[]> {
  const ids = [...names.values()].flat().filter((name) => /^[a-z]+_/.test(name) || name.startsWith('sha256:'));
  const lists = operatorRoutes.filter((route) => route.method === 'get' && !route.path.includes('{'));
  const shown: string[] = [];
  for (const route of lists) {
    const { status, body } = await sendExample(send, route, {});
    const text = Buffer.from(body).toString();
    if (status < 400) shown.push(...ids.filter((id) => text.includes(id)).map((id) => `${route.id} ${id}`));
  }
  return shown;
}

test('what another tenant has is not there: for no role, by no name, in no list; and it stays as it is', async () => {
  await using manager = await openManager();
  const names = await makeOneOfEach(senderOf(manager, manager.adminToken));
  const kinds = new Set(operatorRoutes.flatMap((route) => subjectOf(route)?.kind ?? []));
  expect([...kinds].filter((kind) => !names.has(kind))).toEqual([]);
  await manager.restart({}, async () => await Promise.resolve(giveAway(manager)));
  const tokens = new Map<RoleName | undefined, string | undefined>([[undefined, undefined]]);
  for (const role of roleNames)
    tokens.set(role, (await manager.client.tokens.create({ body: { name: role, role } })).token);
  const before = rowsOfOther(manager);
  expect(before['configs']).toHaveLength(1);
  // Before anybody asks by name: what was asked for stands in the audit log.
  for (const token of tokens.values()) expect(await shownIn(senderOf(manager, token), names)).toEqual([]);
  let total = 0;
  for (const [role, token] of tokens) {
    const { wrong, asked } = await differences(senderOf(manager, token), names, role ?? 'anonymous');
    expect(wrong).toEqual([]);
    total += asked;
  }
  expect(total).toBeGreaterThan(6 * 80);
  expect(rowsOfOther(manager)).toEqual(before);
  // The same names are free here, and then there are two of each.
  await makeOneOfEach(senderOf(manager, manager.adminToken));
  expect((await differences(senderOf(manager, manager.adminToken), onlyIds(names), 'beside own ones')).wrong).toEqual(
    [],
  );
  expect(rowsOfOther(manager)).toEqual(before);
}, 120_000);

const onlyIds = (names: Names): Names =>
  new Map([...names].map(([kind, all]) => [kind, all.filter((name) => /^[a-z]+_[0-9a-zA-Z]{10,}/.test(name))]));

test('to who has bounds, what is outside is not there, and what reaches everything is refused', async () => {
  await using manager = await openManager();
  const names = await makeOneOfEach(senderOf(manager, manager.adminToken));
  const bounds = { projects: ['elsewhere'], servers: 'elsewhere' };
  const { token, id } = await manager.client.tokens.create({ body: { name: 'held', role: 'admin', bounds } });
  const send = senderOf(manager, token);
  const own = new Set([id]);
  // Engines are for all servers.
  const others = [...names].filter(([kind]) => kind !== 'engines');
  const foreign = new Map(others.map(([kind, all]) => [kind, all.filter((name) => !own.has(name))]));
  const { wrong, asked } = await differences(send, foreign, 'held');
  expect(wrong).toEqual([]);
  expect(asked).toBeGreaterThan(80);
  expect(await shownIn(send, foreign)).toEqual([]);
  const open: string[] = [];
  for (const route of operatorRoutes.filter((one) => !reachOf(one) && one.permission !== 'public')) {
    const { status, body } = await sendExample(send, route, {});
    const { code } = JSON.parse(Buffer.from(body).toString() || '{}') as { readonly code?: string };
    if (status !== 403 || code !== 'auth.out-of-bounds') open.push(`${route.id}: ${status} ${code}`);
  }
  expect(open).toEqual([]);
  expect(Object.keys(everything).length).toBeGreaterThan(20);
}, 120_000);
