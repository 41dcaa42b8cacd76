import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { digestOf } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import type { Slot } from '@sbox/engines/sing-box/run';
import { afterAll, expect, test } from '@jest/globals';
import { makeOverlay } from './overlay-command.ts';
import { createRunOverlay } from './run-overlay.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'sbox-overlay-'));
afterAll(() => rmSync(directory, { recursive: true }));

const control = { address: '127.0.0.1:20001', secret: 'only-in-the-file' };
const live: Slot = { mode: 'live', ports: { in: 2081 }, control, log: {}, once: [], probe_port: 20002 };
const trial: Slot = { mode: 'trial', ports: {}, control, log: {}, once: [], probe_port: 20003 };
const tags = Array.from({ length: 20 }, (_, index) => `n${index}`);
const rendition = {
  inbounds: [{ type: 'socks', tag: 'in', listen: '0.0.0.0', listen_port: 2080 }],
  outbounds: [
    { type: 'urltest', tag: 'auto', outbounds: tags },
    ...tags.map((tag) => ({ type: 'socks', tag, server: '127.0.0.1', server_port: 9 })),
  ],
  route: { final: 'auto' },
};

test('the report of a live slot says where to probe and which ports it opens', () => {
  const { report, text } = makeOverlay(JSON.stringify(rendition), live);
  expect(report).toMatchObject({
    digest: digestOf(Buffer.from(text), sha256),
    probe: { tag: 'in', address: '127.0.0.1', port: 2081, type: 'socks' },
    listens: [{ tag: 'in', listen: '0.0.0.0', listen_port: 2081, network: 'tcp' }],
    spare: [],
  });
});

test('a trial goes in by the inbound of the same tag and names nodes beyond the first three', () => {
  const { report, text } = makeOverlay(JSON.stringify(rendition), trial);
  expect(report.probe).toMatchObject({
    tag: 'in',
    port: 20003,
    type: 'mixed',
    choices: { members: ['n0', 'n1', 'n2'] },
  });
  expect(report.spare).toHaveLength(6);
  expect(report.spare.some((tag) => ['n0', 'n1', 'n2'].includes(tag))).toBe(false);
  expect(JSON.parse(text).inbounds).toEqual([{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: 20003 }]);
});

test('what planning a take-over needs is told of a live slot, whatever its place', () => {
  const at = (more: Partial<Slot>, config: object = rendition) =>
    makeOverlay(JSON.stringify(config), { ...live, ...more }).report;
  const { shape } = at({});
  expect(at({ ports: { in: 29_000 }, control: { address: '127.0.0.1:1', secret: 's' } }).shape).toBe(shape);
  expect(at({ files: { 'rule-sets/a.srs': '/blobs/a' } }).shape).not.toBe(shape);
  expect(at({}, { ...rendition, log: { level: 'warn' } }).shape).not.toBe(shape);
  expect(at({})).toMatchObject({ unshared: [], isShared: false, defaults: {} });
  expect(at({ once: ['n3'] }).unshared).toEqual(['outbound "n3" (socks)']);
  expect(makeOverlay(JSON.stringify(rendition), trial).report).not.toHaveProperty('shape');
});

test('engines that run side by side share their ports and have a probe inbound each', () => {
  const { report, text } = makeOverlay(JSON.stringify(rendition), { ...live, share_ports: true, own_probe: true });
  expect(report).toMatchObject({
    isShared: true,
    probe: { tag: 'in', port: 2081 },
    own_probe: { tag: 'sbox-probe', port: 20002 },
  });
  const [shared, own] = (JSON.parse(text) as { inbounds: Record<string, unknown>[] }).inbounds;
  expect(shared).toMatchObject({ tag: 'in', reuse_addr: true });
  expect(own).not.toHaveProperty('reuse_addr');
  const udp = { ...rendition, inbounds: [{ type: 'hysteria2', tag: 'in', listen: '::', listen_port: 443 }] };
  expect(makeOverlay(JSON.stringify(udp), { ...live, share_ports: true }).report.isShared).toBe(false);
});

const program = path.resolve(import.meta.dirname, '../main.ts');
const run = createRunOverlay(spawn, [process.execPath, program, 'overlay']);
const [input, output] = [path.join(directory, 'in.json'), path.join(directory, 'out.json')];

test('the hidden command writes the file for the engine only, and the report', async () => {
  writeFileSync(input, JSON.stringify(rendition));
  const report = await run({ input, output, slot: live });
  const text = readFileSync(output, 'utf8');
  expect(report).toEqual(makeOverlay(JSON.stringify(rendition), live).report);
  expect(text).toContain(control.secret);
  expect(statSync(output).mode & 0o777).toBe(0o600);
}, 20_000);

test('what is no JSON is not quoted: a secret may stand there', () => {
  const source = '{"inbounds":[{"type":"socks","users":[{"password": hunter2hunter2}]}]}';
  expect(() => makeOverlay(source, live)).toThrow(/^the rendition is no JSON: Unexpected token 'h'$/);
});

test.each([
  ['no JSON', '{"inbounds":', 'config.invalid'],
  ['another shape', '{"inbounds":{}}', 'config.invalid'],
  ['nothing', undefined, 'file.unreadable'],
])(
  '%s is a problem with a code',
  async (_, content, code) => {
    rmSync(input, { force: true });
    if (content !== undefined) writeFileSync(input, content);
    await expect(run({ input, output, slot: live })).rejects.toMatchObject({ code });
  },
  20_000,
);
