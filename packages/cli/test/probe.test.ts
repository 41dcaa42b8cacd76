import { spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { freePort } from '../src/quickstart/ports.ts';
import { serving } from './serving.ts';
import { openTestHost, singBox, type TestHost } from './test-host.ts';

interface Row {
  readonly tag: string;
  readonly ms: number | null;
  readonly reason: string | null;
}

const isOpen = async (port: number): Promise<boolean> =>
  await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });

/** A real engine that serves shadowsocks. */
async function openShadowsocks(host: TestHost) {
  const port = await freePort(0);
  const file = path.join(host.dir, 'server.json');
  const inbound = {
    type: 'shadowsocks',
    listen: '127.0.0.1',
    listen_port: port,
    method: 'aes-128-gcm',
    password: 'secret',
  };
  writeFileSync(
    file,
    JSON.stringify({ log: { level: 'error' }, inbounds: [inbound], outbounds: [{ type: 'direct' }] }),
  );
  const child = spawn(singBox, ['run', '-c', file], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const deadline = performance.now() + 20_000;
  while (!(await isOpen(port)) && performance.now() < deadline && child.exitCode === null)
    await new Promise((resolve) => setImmediate(resolve));
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

const rowsOf = (stdout: string): Map<string, Row> =>
  new Map((JSON.parse(stdout) as Row[]).map((row) => [row.tag, row]));

test('probe: by connections, and by requests through a real engine that is gone afterwards', async () => {
  using host = openTestHost();
  await using server = await openShadowsocks(host);
  await using site = await serving((_, response) => response.writeHead(204).end());
  const closed = await freePort(0);
  const links = [
    `ss://YWVzLTEyOC1nY206c2VjcmV0@127.0.0.1:${server.port}#Good`,
    `ss://YWVzLTEyOC1nY206d3Jvbmc=@127.0.0.1:${server.port}#Wrong`,
    `trojan://pw@127.0.0.1:${closed}?sni=a.example#Closed`,
    `hysteria2://pw@127.0.0.1:${closed}?sni=a.example#Udp`,
    'ssr://MTI3LjAuMC4xOjQ0MzphdXRoX2FlczEyOF9tZDU6YWVzLTI1Ni1jZmI6cGxhaW46YzJWamNtVjAvP3JlbWFya3M9VTNOeQ',
  ].join('\n');
  const env = { SBOX_SING_BOX: singBox, TMPDIR: host.dir };

  const tcp = await host.run(['probe', '-', '-o', 'json'], { input: links, env });
  const opened = rowsOf(tcp.stdout);
  expect(tcp.code).toBe(9);
  expect(opened.get('Good')?.ms).toBeGreaterThan(0);
  expect(opened.get('Closed')).toMatchObject({ ms: null, reason: 'ECONNREFUSED' });
  expect(opened.get('Udp')?.reason).toContain('--http');

  const words = ['probe', '-', '--http', '--url', `http://127.0.0.1:${site.port}/`, '--timeout', '3s', '-o', 'json'];
  const http = await host.run(words, { input: links, env });
  expect(http).toMatchObject({ code: 9, stderr: expect.stringContaining('1 of 5 nodes answered') });
  const answered = rowsOf(http.stdout);
  expect(answered.get('Good')?.ms).toBeGreaterThan(0);
  expect(answered.get('Wrong')).toMatchObject({ ms: null });
  expect(answered.get('Ssr')?.reason).toContain('shadowsocksr');
  expect(readdirSync(host.dir).filter((name) => name.startsWith('sbox-probe'))).toEqual([]);
});

test('probe refuses what it cannot do', async () => {
  using host = openTestHost();
  const input = 'ss://YWVzLTEyOC1nY206c2VjcmV0@127.0.0.1:1#X';
  expect((await host.run(['probe', '-', '--tcp', '--http'], { input })).code).toBe(2);
  expect((await host.run(['probe', '-', '--timeout', '5h'], { input })).code).toBe(2);
  expect((await host.run(['probe', '-', '--concurrency', '0'], { input })).code).toBe(2);
  expect((await host.run(['probe', '-', '--http', '--url', 'ftp://x'], { input })).code).toBe(2);
  expect((await host.run(['probe', '-', '--http'], { input, env: { PATH: '' } })).code).toBe(3);
  expect((await host.run(['probe', '-'], { input })).code).toBe(6);
});

test('a probe that is told to stop leaves no engine and no file', async () => {
  using host = openTestHost();
  await using server = await openShadowsocks(host);
  const stopping = new AbortController();
  await using site = await serving(() => stopping.abort());
  const words = ['probe', '-', '--http', '--url', `http://127.0.0.1:${site.port}/`];
  const input = `ss://YWVzLTEyOC1nY206c2VjcmV0@127.0.0.1:${server.port}#Good`;
  const env = { SBOX_SING_BOX: singBox, TMPDIR: host.dir };
  const ran = await host.run(words, { input, env, signal: stopping.signal });
  expect(ran).toMatchObject({ code: 130, stdout: '' });
  expect(readdirSync(host.dir).filter((name) => name.startsWith('sbox-probe'))).toEqual([]);
});
