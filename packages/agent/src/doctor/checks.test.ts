import { describe, expect, test } from '@jest/globals';
import { chmod, readdir, rm, truncate } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { createFakeClock, systemClock } from '@sbox/core';
import { joined, look, trouble } from '../../test/check-rig.ts';
import { digestOfBytes, startManagerDouble } from '../../test/manager-double.ts';
import { listenOn, openStateDouble } from '../../test/state-double.ts';
import { createProc } from '../supervisor/proc.ts';
import { prefixOf } from '../reload/redirects.ts';
import { clockCheck } from './clock.ts';
import { diskCheck } from './disk.ts';
import { engineCheck } from './engine.ts';
import { journalCheck } from './journal.ts';
import { judgeFiles, judgeMemory } from './limits.ts';
import { nftCheck } from './nft.ts';
import { portsCheck } from './ports.ts';
import { agentCheck, judgeService } from './service.ts';
import { signatureCheck } from './signature.ts';
import { uplinkCheck } from './uplink.ts';

const clock = systemClock;

async function listenHere(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: async () => await new Promise((resolve) => server.close(() => resolve())) };
}

describe('clock', () => {
  test('a clock from before this program, and one that is behind what was written down', async () => {
    await using state = await openStateDouble();
    expect(await trouble(clockCheck, state.scene({ clock: createFakeClock(0) }))).toEqual([
      'failed: the clock says 1970-01-01T00:00:00.000Z',
    ]);
    state.addVersion({ generation: 1 });
    expect(await trouble(clockCheck, state.scene())).toEqual([]);
    const behind = createFakeClock(Date.now() - 3_600_000);
    expect(await trouble(clockCheck, state.scene({ clock: behind }))).toEqual([expect.stringMatching(/^warning: /)]);
  });

  test('a clock that differs from the manager', async () => {
    await using state = await openStateDouble();
    await using manager = await startManagerDouble({ clock });
    await joined(state, manager);
    expect(await trouble(clockCheck, state.scene())).toEqual([]);
    const ahead = { ...clock, now: () => clock.now() + 3_600_000 };
    expect(await trouble(clockCheck, state.scene({ clock: ahead }))).toEqual(['failed: 1h ahead of the manager']);
  });
});

describe('disk', () => {
  test('a good directory is written to and left as it was', async () => {
    await using state = await openStateDouble();
    expect(await trouble(diskCheck, state.scene())).toEqual([]);
    expect(await readdir(state.directory)).toEqual([]);
  });

  test('none yet, no directory, and one that others may write to', async () => {
    await using state = await openStateDouble();
    const nowhere = path.join(state.directory, 'none');
    expect(await trouble(diskCheck, state.scene({ stateDir: nowhere }))).toEqual([
      `warning: ${nowhere} is not there yet`,
    ]);
    state.write('file', '');
    expect(await trouble(diskCheck, state.scene({ stateDir: path.join(state.directory, 'file') }))).toEqual([
      expect.stringContaining('is no directory'),
    ]);
    await chmod(state.directory, 0o777);
    expect(await trouble(diskCheck, state.scene())).toEqual([expect.stringContaining('others may write')]);
  });

  test('a file system that takes no writes', async () => {
    await using state = await openStateDouble();
    const [space, writing] = await look(diskCheck, state.scene({ stateDir: '/proc/self' }));
    expect([space, writing].map((finding) => finding?.verdict)).toContain('failed');
  });
});

describe('journal', () => {
  test('a whole one, and one that is torn', async () => {
    await using state = await openStateDouble();
    state.addVersion({ generation: 1 });
    expect(await trouble(journalCheck, state.scene())).toEqual([]);
    state.addVersion({ generation: 2 });
    await truncate(path.join(state.directory, 'journal.ndjson'), 900);
    expect(await trouble(journalCheck, state.scene())).toEqual([expect.stringContaining('warning: torn')]);
  });

  test('one that cannot be read', async () => {
    await using state = await openStateDouble();
    state.write('journal.ndjson/file', '');
    expect(await trouble(journalCheck, state.scene())).toContainEqual(
      expect.stringContaining('failed: it cannot be read'),
    );
  });

  test('a last good version whose slot or content is damaged', async () => {
    await using state = await openStateDouble();
    const { name, unit } = state.addVersion({ generation: 1 });
    await rm(path.join(state.directory, 'blobs'), { recursive: true });
    expect(await trouble(journalCheck, state.scene())).toEqual([expect.stringMatching(/^warning: .*blobs\/sha256/)]);
    state.write(`slots/${unit.name}/${name}/config.json`, 'rotten');
    expect(await trouble(journalCheck, state.scene())).toEqual([
      expect.stringMatching(/^failed: .*not what was put there/),
    ]);
    state.write(`slots/${unit.name}/${name}/slot.json`, '{');
    expect(await trouble(journalCheck, state.scene())).toEqual([
      expect.stringMatching(/^failed: .*slot\.json is gone/),
    ]);
  });

  test('a hold file, quarantine, and a damaged order are told with the way out', async () => {
    await using state = await openStateDouble();
    state.write('hold', 'until Monday');
    state.write('accepted.json', '{');
    const strike = {
      digest: 'sha256:1',
      engine: 'sing-box 1.14.4',
      code: 'config.invalid',
      message: 'no',
      at: '',
      isFinal: true,
    };
    state.write('quarantine/1.json', JSON.stringify(strike));
    const findings = await look(journalCheck, state.scene());
    const fixes = findings.filter(({ verdict }) => verdict === 'warning').map(({ fix }) => fix);
    expect(fixes).toEqual([
      expect.stringContaining('next order'),
      expect.stringContaining('--release-hold'),
      expect.stringContaining('--lift-quarantine'),
    ]);
  });
});

describe('engine', () => {
  const engine = { kind: 'sing-box' as const, path: '/bin/sing-box', version: '1.13.0', tags: ['with_quic'] };

  test('none, a good one, and one that the accepted order does not take', async () => {
    await using state = await openStateDouble();
    expect(await trouble(engineCheck, state.scene())).toEqual([expect.stringContaining('failed: no sing-box')]);
    const { unit } = state.addVersion({ generation: 1 });
    const found = state.scene({ findEngine: async () => await Promise.resolve(engine) });
    expect(await look(engineCheck, found)).toEqual([
      { verdict: 'ok', detail: 'sing-box 1.13.0 at /bin/sing-box with with_quic' },
    ]);
    const order = { source: 'manager', manifest: { units: [{ ...unit, engine: '>=1.14' }] } };
    state.write('accepted.json', JSON.stringify(order));
    const misfit = state.scene({ findEngine: async () => await Promise.resolve(engine) });
    expect(await trouble(engineCheck, misfit)).toEqual(['failed: the order wants sing-box >=1.14, here is 1.13.0']);
  });

  test('a program that an order gives: there, not there, damaged; then the machine needs none of its own', async () => {
    await using state = await openStateDouble();
    const { unit } = state.addVersion({ generation: 1 });
    const program = Buffer.from('a program');
    const digest = digestOfBytes(program);
    const build = { digest, size: program.length, version: '1.14.4', arch: 'x64' };
    const order = { source: 'manager', manifest: { units: [{ ...unit, engine_build: build }] } };
    state.write('slots/edge/1.1-1/slot.json', '{');
    state.write('accepted.json', JSON.stringify(order));
    expect(await trouble(engineCheck, state.scene())).toEqual([expect.stringMatching(/^warning: .* is not here/)]);
    const file = `engines/sha256/${digest.slice('sha256:'.length)}`;
    state.write(file, program);
    expect(await trouble(engineCheck, state.scene())).toEqual([
      expect.stringMatching(/^failed: .* may not be executed/),
    ]);
    await chmod(path.join(state.directory, file), 0o700);
    expect(await trouble(engineCheck, state.scene())).toEqual([]);
    state.write(file, 'b program');
    expect(await trouble(engineCheck, state.scene())).toEqual([expect.stringMatching(/^failed: .* is damaged/)]);
  });
});

describe('ports', () => {
  test('a free one, one that another program has, and an address that is not here', async () => {
    await using state = await openStateDouble();
    expect(await look(portsCheck, state.scene())).toEqual([{ verdict: 'ok', detail: 'no config wants a port yet' }]);
    await using other = await listenHere();
    state.addVersion({ generation: 1, listens: [listenOn(other.port), listenOn(9, '192.0.2.77')] });
    const [taken, away] = await look(portsCheck, state.scene());
    expect(taken).toMatchObject({ verdict: 'failed', about: `127.0.0.1:${other.port}` });
    expect(taken?.detail).toContain(`(pid ${process.pid})`);
    expect(away).toMatchObject({ verdict: 'failed', detail: expect.stringContaining('does not have') });
  });

  test('a port on another address of this machine is not ours', async () => {
    await using state = await openStateDouble();
    await using other = await listenHere();
    state.addVersion({ generation: 1, listens: [listenOn(other.port, '127.0.0.2')] });
    expect(await trouble(portsCheck, state.scene())).toEqual([]);
  });

  test('a port that our own engine has is in order', async () => {
    await using state = await openStateDouble();
    await using other = await listenHere();
    state.addVersion({ generation: 1, listens: [listenOn(other.port)] });
    const proc = createProc();
    const args = ['sing-box', 'run', '-c', `${state.directory}/slots/edge/current/config.json`];
    const asEngine = { ...proc, argumentsOf: (pid: number) => (pid === process.pid ? args : proc.argumentsOf(pid)) };
    expect(await look(portsCheck, state.scene({ proc: asEngine }))).toEqual([
      { verdict: 'ok', detail: `served by our engines: 127.0.0.1:${other.port}` },
    ]);
  });
});

describe('nft', () => {
  const answers = (stdout: string, code = 0, stderr = '') => ({
    run: async () => await Promise.resolve({ code, stdout, stderr, isTimedOut: false }),
  });
  const table = (name: string, rule: string): string =>
    `table ip ${name} {\n\tchain pre {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n\t\t${rule}\n\t}\n}\n`;

  test('not there, not allowed, allowed, not wanted', async () => {
    await using state = await openStateDouble();
    expect(await trouble(nftCheck, state.scene())).toEqual([expect.stringContaining('nft is not installed')]);
    const denied = answers('', 1, 'Operation not permitted\n');
    expect(await trouble(nftCheck, state.scene(denied))).toEqual([
      expect.stringContaining('(Operation not permitted)'),
    ]);
    expect(await trouble(nftCheck, state.scene(answers('')))).toEqual([]);
  });

  test('a rule of somebody else that sends traffic to a port of ours is told, with what follows', async () => {
    await using state = await openStateDouble();
    state.addVersion({ generation: 1, listens: [listenOn(1080)] });
    const others = answers(table('nat', 'tcp dport 443 redirect to :1080'));
    expect(await trouble(nftCheck, state.scene(others))).toEqual([
      expect.stringMatching(/^warning: .*table ip nat.*take-over ends/),
    ]);
    const elsewhere = answers(table('nat', 'tcp dport 443 redirect to :8443'));
    expect(await trouble(nftCheck, state.scene(elsewhere))).toEqual([]);
  });

  test('a table of ours that no engine needs is left over, that of another agent is not ours to judge', async () => {
    await using state = await openStateDouble();
    const rule = 'tcp dport 443 redirect to :20443';
    const ours = answers(table(`${prefixOf(state.directory)}edge`, rule));
    expect(await trouble(nftCheck, state.scene(ours))).toEqual([expect.stringContaining('is left over')]);
    const others = answers(table(`${prefixOf(`${state.directory}-other`)}edge`, rule));
    expect(await trouble(nftCheck, state.scene(others))).toEqual([]);
  });
});

describe('signatures', () => {
  test('the whole chain, and each link of it damaged', async () => {
    await using state = await openStateDouble();
    await using manager = await startManagerDouble({ clock });
    expect(await trouble(signatureCheck, state.scene())).toEqual([]);
    await joined(state, manager);
    expect(await trouble(signatureCheck, state.scene())).toEqual([]);
    await chmod(path.join(state.directory, 'agent.key'), 0o644);
    expect(await trouble(signatureCheck, state.scene())).toEqual([expect.stringContaining('others may read')]);
    state.write('agent.key', 'no key');
    expect(await trouble(signatureCheck, state.scene())).toEqual([expect.stringContaining('is damaged')]);
    await rm(path.join(state.directory, 'agent.key'));
    await rm(path.join(state.directory, 'trust.json'));
    expect(await trouble(signatureCheck, state.scene())).toEqual([
      expect.stringContaining('is gone: the manager will not know'),
      'failed: the trust document is gone',
    ]);
    state.write('identity.json', '{');
    expect(await trouble(signatureCheck, state.scene())).toEqual([expect.stringContaining('identity.json is damaged')]);
  });
});

describe('uplink', () => {
  test('targets of the probe, reached and not', async () => {
    await using state = await openStateDouble();
    expect(await trouble(uplinkCheck, state.scene())).toEqual([]);
    await using target = await listenHere();
    const good = `http://127.0.0.1:${target.port}/`;
    state.addVersion({ generation: 1, probeUrls: [good] });
    expect(await trouble(uplinkCheck, state.scene())).toEqual([]);
    state.addVersion({ generation: 2, probeUrls: [good, 'http://127.0.0.1:1/'] });
    expect(await trouble(uplinkCheck, state.scene())).toEqual(['warning: http://127.0.0.1:1/: ECONNREFUSED']);
    state.addVersion({ generation: 3, probeUrls: ['http://127.0.0.1:1/'] });
    expect((await trouble(uplinkCheck, state.scene()))[0]).toContain('ECONNREFUSED');
  });
});

describe('limits', () => {
  test('memory and open files', () => {
    const meminfo = (kb: number): string => `MemTotal:  1000000 kB\nMemAvailable:  ${kb} kB\n`;
    expect(judgeMemory(meminfo(500_000)).verdict).toBe('ok');
    expect(judgeMemory(meminfo(50_000)).verdict).toBe('warning');
    const limits = (soft: string): string => `Max open files            ${soft}     1048576    files\n`;
    expect(judgeFiles('agent', limits('1024'))?.verdict).toBe('warning');
    expect(judgeFiles('agent', limits('65536'))?.verdict).toBe('ok');
    expect(judgeFiles('agent', '')).toBeUndefined();
  });
});

describe('agent', () => {
  test('a server that never ran one warns, one that did fails', async () => {
    await using state = await openStateDouble();
    expect((await look(agentCheck, state.scene()))[0]?.verdict).toBe('warning');
    state.addVersion({ generation: 1 });
    expect((await look(agentCheck, state.scene()))[0]?.verdict).toBe('failed');
  });

  test('what systemd says', () => {
    const facts = (more: Record<string, string>) =>
      new Map(Object.entries({ ActiveState: 'active', NRestarts: '0', Result: 'success', ...more }));
    const verdict = (more: Record<string, string>) => judgeService(facts(more)).map((finding) => finding.verdict);
    expect(verdict({})).toEqual(['ok']);
    expect(verdict({ NRestarts: '9' })).toEqual(['warning']);
    expect(verdict({ UnitFileState: 'disabled' })).toEqual(['warning']);
    expect(verdict({ ActiveState: 'failed', Result: 'exit-code' })).toEqual(['failed']);
  });
});
