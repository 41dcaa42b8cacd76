import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { digestOf } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import { silentLogger } from '@sbox/daemon/log';
import { makeTestDirectory } from '../../test/test-directory.ts';
import type { BlobSource } from '../order.ts';
import { createDisk } from '../state/disk.ts';
import { partOf } from '../state/download.ts';
import { createLargeFiles } from '../state/large-files.ts';
import { createFetchEngine } from './fetch-engine.ts';

const directory = makeTestDirectory('fetch-engine');

test('a place that drips is given up in time, and the manager goes on where it was cut off', async () => {
  const bytes = Buffer.from('what a program is');
  const build = { digest: digestOf(bytes, sha256), size: bytes.length, version: '1.14.4', arch: 'x64' };
  const file = path.join(directory, 'program');
  writeFileSync(partOf(file), bytes.subarray(0, 5));
  const server = createServer((_, response) => void response.writeHead(200).write('x'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const asked: number[] = [];
  const blobs: BlobSource = {
    fetch: async () => await Promise.reject(new Error('asked for all of it')),
    open: async (_digest, offset) => {
      asked.push(offset);
      // oxlint-disable-next-line require-await
      const rest = (async function* chunks() {
        yield bytes.subarray(offset);
      })();
      return await Promise.resolve({ offset, chunks: rest });
    },
  };
  const fetchEngine = createFetchEngine({
    sources: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`],
    disk: createDisk(),
    files: createLargeFiles(),
    log: silentLogger,
    placeMs: 100,
  });
  try {
    await fetchEngine({ build, file, blobs, signal: new AbortController().signal });
    expect(asked).toEqual([5]);
    expect(readFileSync(file)).toEqual(bytes);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('a place that was asked while the disk is full is let go of', async () => {
  const build = { digest: digestOf(Buffer.from('x'), sha256), size: 1_000_000, version: '1.14.4', arch: 'x64' };
  const server = createServer((_, response) => void response.writeHead(200).write('x'));
  const closed = new Promise<void>((resolve) => {
    server.once('request', (_, response) => response.once('close', () => resolve()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const fetchEngine = createFetchEngine({
    sources: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`],
    disk: createDisk(),
    files: { ...createLargeFiles(), freeBytes: async () => await Promise.resolve(0) },
    log: silentLogger,
  });
  const blobs: BlobSource = { fetch: async () => await Promise.reject(new Error('not asked')) };
  const wanted = { build, file: path.join(directory, 'other'), blobs, signal: new AbortController().signal };
  try {
    await expect(fetchEngine(wanted)).rejects.toMatchObject({ code: 'disk.full' });
    await closed;
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
