import { expect, test } from '@jest/globals';
import { ProblemError } from '@sbox/core';
import { jsonPatchSchema } from '@sbox/protocol/pipeline';
import { patchDocument } from './patch-document.ts';

const document = { route: { final: 'a', rules: [{ action: 'sniff' }] }, 'a/b': 1 };
const refusal = (patch: unknown): string => {
  try {
    patchDocument(document, jsonPatchSchema.parse(patch));
  } catch (error) {
    if (error instanceof ProblemError && error.code === 'template.invalid') return error.message;
    throw error;
  }
  return '';
};

test('all operations of RFC 6902', () => {
  const before = structuredClone(document);
  const patched = patchDocument(document, [
    { op: 'test', path: '/route/final', value: 'a' },
    { op: 'add', path: '/route/rules/-', value: { action: 'hijack-dns' } },
    { op: 'add', path: '/route/rules/0', value: { action: 'resolve' } },
    { op: 'replace', path: '/route/final', value: 'b' },
    { op: 'copy', from: '/route/final', path: '/copied' },
    { op: 'move', from: '/a~1b', path: '/moved' },
    { op: 'remove', path: '/route/rules/1' },
  ]);
  expect(patched).toEqual({
    route: { final: 'b', rules: [{ action: 'resolve' }, { action: 'hijack-dns' }] },
    copied: 'b',
    moved: 1,
  });
  expect(document).toEqual(before);
  expect(patchDocument(document, [{ op: 'replace', path: '', value: { x: 1 } }])).toEqual({ x: 1 });
});

test.each([
  [[{ op: 'remove', path: '/no/where' }], 'patch[0] (remove /no/where): there is nothing at that place'],
  [
    [
      { op: 'test', path: '/route/final', value: 'a' },
      { op: 'test', path: '/route/final', value: 'b' },
    ],
    'patch[1] (test /route/final): the value there is another one',
  ],
  [[{ op: 'remove', path: '/route/rules/length' }], 'there is nothing at that place'],
  [[{ op: 'replace', path: '/route/rules/00', value: 1 }], 'there is nothing at that place'],
  [[{ op: 'remove', path: '/route/rules/-' }], 'there is nothing at that place'],
  [[{ op: 'add', path: '/route/rules/2', value: 1 }], 'there is nothing at that place'],
  [[{ op: 'copy', from: '/toString', path: '/x' }], 'there is nothing at that place'],
  [[{ op: 'move', from: '/route', path: '/route/x' }], 'there is nothing at that place'],
  [[{ op: 'replace', path: '', value: 5 }], 'the patch leaves no object'],
  [[{ op: 'add', path: '/__proto__/x', value: 5 }], 'not a place'],
  [[{ op: 'add', path: '/constructor/prototype/x', value: 5 }], 'not a place'],
])('%j is refused', (patch, words) => expect(refusal(patch)).toContain(words));

test.each([
  ['/users/0/password', '/outbounds/0/tag'],
  ['/users/0/password', '/outbounds/0'],
  ['/headers', '/other'],
  ['/headers/Authorization', '/headers/User-Agent'],
  ['/tls/key', '/tags'],
  ['/tls/key/0', '/outbounds/-'],
])('what stands at %s is hidden, and is not brought to %s', (from, path) => {
  const hidden = {
    users: [{ password: 'p' }],
    headers: { Authorization: 'a' },
    tls: { key: ['k'] },
    outbounds: [{ tag: 't' }],
  };
  for (const op of ['copy', 'move'] as const)
    expect(() => patchDocument(hidden, [{ op, from, path }])).toThrow(
      expect.objectContaining({ code: 'template.invalid', message: expect.stringContaining('would be shown') }),
    );
  expect(patchDocument(hidden, [{ op: 'copy', from: '/users', path: '/others' }])).toMatchObject({
    others: hidden.users,
  });
});

test('a patch that doubles the document again and again ends', () => {
  const patch = Array.from({ length: 60 }, (_, index) => ({ op: 'copy', from: '', path: `/c${index}` }));
  expect(refusal(patch)).toMatch(/^patch\[\d+\] \(copy \/c\d+\): the document gets more than 500000 values$/);
  expect({}).not.toHaveProperty('x');
});

test('what is refused does not say what stands there', () => {
  for (const path of ['/password', '/password/x']) {
    try {
      patchDocument({ password: 'a secret' }, [{ op: 'test', path, value: 'other' }]);
    } catch (error) {
      expect(error).toMatchObject({ code: 'template.invalid', message: expect.not.stringContaining('a secret') });
      expect(error).not.toHaveProperty('cause');
    }
  }
  expect.assertions(4);
});
