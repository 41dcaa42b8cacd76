import { expect, test } from '@jest/globals';
import { isOpenWire } from './open-wire.ts';

test.each([
  ['https://manager.example', false],
  ['http://127.0.0.1:8080', false],
  ['http://127.1', false],
  ['http://[::1]:8080', false],
  ['http://localhost', false],
  ['http://manager.example', true],
  ['http://10.0.0.1', true],
  ['http://127.example', true],
  ['http://127.0.0.1.example', true],
])('%s: others can read along: %s', (url, isOpen) => {
  expect(isOpenWire(new URL(url))).toBe(isOpen);
});
