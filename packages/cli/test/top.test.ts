import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { createFakeClock } from '@sbox/core';
import { openManaged } from './managed.ts';

/** What a terminal would show: the last picture, without its control characters. */
const shown = (text: string): string => stripVTControlCharacters(text.split('\u001B[H').at(-1) ?? '');

describe('top', () => {
  test('is one picture where no terminal is', async () => {
    await using managed = await openManaged();
    expect((await managed.run('top')).stdout).toContain('servers  none yet: sboxmgr server token');
    for (const name of ['edge-1', 'edge-2']) await managed.run('server', 'add', name);
    const { code, stdout } = await managed.run('top', '--once');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^sbox \S+ {2}http:\/\/127\.0\.0\.1:\d+ {2}up .* {2}sing-box 1\.14\.4/);
    expect(stdout).toContain('servers  2 new');
    expect(stdout).toMatch(/\nSERVER +STATE .*\nedge-1 +new .*\nedge-2 +new/);
    expect(stdout).toMatch(/server\.joined {2}edge-2\n/);
    expect(stdout).not.toContain('\u001B');
    const asJson = JSON.parse((await managed.run('top', '-o', 'json')).stdout) as { servers: { name: string }[] };
    expect(asJson.servers.map(({ name }) => name)).toEqual(['edge-1', 'edge-2']);
  });

  test('is drawn anew on a terminal until it is stopped, and the screen is as before', async () => {
    await using managed = await openManaged();
    await managed.run('server', 'add', 'edge-1');
    const clock = createFakeClock();
    const stop = new AbortController();
    let screen = '';
    let pictures = 0;
    const running = managed.runWith({}, 'top', '--interval', '1s', {
      clock,
      isTerminal: true,
      terminalSize: () => ({ columns: 40, rows: 8 }),
      signal: stop.signal,
      stdout: (text) => {
        screen += text;
        if (!text.startsWith('\u001B[H')) return;
        pictures += 1;
        if (pictures === 1) void managed.run('server', 'add', 'edge-2').then(async () => await clock.advance(1000));
        else stop.abort();
      },
    });
    await running;
    expect(pictures).toBe(2);
    expect(shown(screen)).toContain('edge-2');
    const lines = shown(screen).split('\n');
    expect(lines.length).toBeLessThanOrEqual(8);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(40);
    expect(screen.startsWith('\u001B[?1049h')).toBe(true);
    expect(screen.endsWith('\u001B[?1049l')).toBe(true);
  });

  test('says what it cannot do', async () => {
    await using managed = await openManaged();
    const wrong = await managed.run('top', '--interval', '1ms');
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toContain('--interval is from 500ms to 1h, not 1ms');
    const nobody = await managed.runWith({ SBOXMGR_URL: 'http://127.0.0.1:1' }, 'top');
    expect(nobody.code).toBe(6);
  });
});
