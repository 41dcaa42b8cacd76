import { describe, expect, test } from '@jest/globals';
import { ProblemError } from '@sbox/core';
import { templateSchema, type Template } from '@sbox/protocol/pipeline';
import * as fc from 'fast-check';
import { checkTemplate, fillTemplate } from './fill-template.ts';
import type { ParamValues } from './read-params.ts';
import { readyTemplates } from './ready-templates.ts';

const template = (document: object, params: Template['params'] = {}): Template => ({
  name: 'own',
  engine: 'sing-box',
  description: '',
  params,
  document: { ...document },
});
const text = { type: 'string', description: '', optional: true } as const;
const params: Template['params'] = {
  name: text,
  port: { type: 'int', description: '', optional: true },
  on: { type: 'bool', description: '', optional: true },
  tags: { type: 'list', description: '', items: text, optional: true },
  users: {
    type: 'list',
    description: '',
    optional: true,
    items: { type: 'object', description: '', fields: { name: text, password: { type: 'secret', description: '' } } },
  },
};
const fill = (document: object, values: ParamValues = {}) => fillTemplate(template(document, params), values);
const problemOf = (run: () => unknown): { code: string; message: string } => {
  try {
    run();
  } catch (error) {
    if (error instanceof ProblemError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: '', message: '' };
};

describe('fills', () => {
  test.each([
    ['a parameter of its own type', { a: '${port}', b: '${on}' }, { port: 5, on: false }, { a: 5, b: false }],
    ['a part of a text', { a: 'http://${name}:${port}/' }, { name: 'h', port: 5 }, { a: 'http://h:5/' }],
    ['nothing for what was not given', { a: '${port}', b: ['${name}', 1], c: 'x${name}' }, {}, { b: [1], c: 'x' }],
    ['an escaped dollar', { a: '$${name} ${name}', b: '$name' }, { name: 'n' }, { a: '${name} n', b: '$name' }],
    ['no text twice', { a: '${name}' }, { name: '${port}' }, { a: '${port}' }],
    [
      'a list into a list',
      { a: ['x', '${tags}'], b: '${tags}' },
      { tags: ['y', 'z'] },
      { a: ['x', 'y', 'z'], b: ['y', 'z'] },
    ],
    ['lists of its own as they are', { a: [['x'], []] }, {}, { a: [['x'], []] }],
    [
      'slots and the schema as they are',
      { $schema: 's', a: [{ $nodes: true }] },
      {},
      { $schema: 's', a: [{ $nodes: true }] },
    ],
  ])('%s', (_, document, values, filled) => expect(fill(document, values)).toEqual(filled));

  test.each([
    ['${on}', { on: true }, true],
    ['${on}', {}, false],
    ['${tags}', { tags: [] }, false],
    ['${name}', { name: '' }, false],
    ['${port}', { port: 0 }, false],
    [{ $eq: ['${name}', 'x'] }, { name: 'x' }, true],
    [{ $in: ['x', '${tags}'] }, { tags: ['w', 'x'] }, true],
    [{ $in: ['x', '${tags}'] }, {}, false],
    [{ $not: '${on}' }, {}, true],
    [{ $all: ['${on}', { $not: '${name}' }] }, { on: true }, true],
    [{ $any: ['${on}', '${name}'] }, { name: 'x' }, true],
    [{ $any: [] }, {}, false],
  ])('when %j with %j: %j', ($when, values, expected) => {
    expect(fill({ a: { $when, $then: 'yes', $else: 'no' }, b: [{ $when, $then: [1, 2] }, 3] }, values)).toEqual({
      a: expected ? 'yes' : 'no',
      b: expected ? [1, 2, 3] : [3],
    });
  });

  test('each item, with its fields', () => {
    const $do = { name: '${user.name}', in: '${name}' };
    const users = [{ name: 'a', password: 'x' }, { password: 'y' }];
    expect(fill({ a: [{ $each: '${users}', $as: 'user', $do }] }, { users, name: 'n' })).toEqual({
      a: [{ name: 'a', in: 'n' }, { in: 'n' }],
    });
    expect(fill({ a: { $each: '${users}', $as: 'user', $do } })).toEqual({});
  });

  test('rules of presets', () => {
    expect(fill({ a: [{ $rules: 'cn', $part: 'own-names', $with: { outbound: 'out' } }] })).toEqual({
      a: [
        { domain_suffix: expect.arrayContaining(['cn']), outbound: 'out' },
        { rule_set: ['geosite-cn'], outbound: 'out' },
      ],
    });
    expect(fill({ a: [{ $rules: 'ir', $part: 'blocked?' }] })).toEqual({ a: [] });
  });
});

describe('refuses', () => {
  test.each([
    [{ a: { $when: { $is: 1 }, $then: 1 } }, 'template.invalid', 'a.$when: there is no condition $is'],
    [{ a: { $when: '${on}', $then: 1, b: 2 } }, 'template.invalid', 'a: b cannot stand beside $when'],
    [{ a: { $when: { $eq: [1] }, $then: 1 } }, 'template.invalid', 'a.$when: $eq takes two values'],
    [{ a: [0, { $each: '${name}', $do: 1 }] }, 'template.invalid', 'a[1]: $each must be a list'],
    [{ a: 'x${tags}' }, 'template.invalid', 'a: ${tags} is no single value'],
    [{ a: [{ $rules: 'xx', $part: 'own' }] }, 'template.invalid', 'a[0]: there are no rules called "xx"'],
    [
      { a: [{ $rules: 'ir', $part: 'blocked' }] },
      'template.invalid',
      'a[0]: the rules "ir" do not say what is blocked',
    ],
    [{ a: { $fail: 'no such thing' } }, 'template.invalid-parameter', 'no such thing'],
    [{ $when: '${on}', $then: 1 }, 'template.invalid', 'the document must be an object'],
  ])('%j', (document, code, words) => {
    const problem = problemOf(() => fill(document, { name: 'n', tags: [] }));
    expect(problem.code).toBe(code);
    expect(problem.message).toContain(words);
  });

  test('what grows or nests without end', () => {
    const tags = Array.from({ length: 1000 }, () => 'x');
    const nested = { $each: '${tags}', $as: 'a', $do: { $each: '${tags}', $as: 'b', $do: '${tags}' } };
    expect(problemOf(() => fill({ a: [nested] }, { tags })).message).toMatch(/more than 500000 values/);
    let deep: object = {};
    for (let level = 0; level < 100; level += 1) deep = { a: deep };
    expect(problemOf(() => fill(deep)).message).toMatch(/nested deeper than 64/);
  });

  test('is the only thing that happens, whatever the document', () => {
    const words = fc.constantFrom('${name}', '${tags}', '${', 'x', '$${', '${users.name}', '${a b}');
    const keys = fc.constantFrom('$when', '$then', '$each', '$do', '$rules', '$part', '$eq', 'a', '__proto__', '$as');
    const { document } = fc.letrec<{ value: unknown; list: unknown[]; document: object }>((tie) => ({
      value: fc.oneof({ maxDepth: 4 }, words, fc.integer(), fc.boolean(), tie('list'), tie('document')),
      list: fc.array(tie('value'), { maxLength: 4 }),
      document: fc.dictionary(keys, tie('value'), { maxKeys: 4 }),
    }));
    fc.assert(
      fc.property(document, (value) => {
        const { code } = problemOf(() => fill(value, { name: 'n', tags: ['t'] }));
        expect(['', 'template.invalid', 'template.invalid-parameter']).toContain(code);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a template as a whole', () => {
  test('words of a template that stand alone are refused, not written', () => {
    expect(problemOf(() => fill({ a: [{ $then: 1 }] }))).toMatchObject({
      code: 'template.invalid',
      message: 'a[0].$then: $then cannot stand here',
    });
  });

  test.each([
    [template({ a: ['${nobody}'] }), 'a[0]: ${nobody} is not the name of a parameter'],
    [template({ a: { $when: false, $then: '${nobody}' } }), 'a.$then: ${nobody} is not the name of a parameter'],
    [template({ a: { $each: [1], $as: 'x', $do: '${x}' }, b: '${x}' }), 'b: ${x} is not the name of a parameter'],
    [template({ a: '${port.x}' }, params), 'a: ${port.x} is not the name of a parameter'],
    [
      template({ a: { $each: '${users}', $as: 'user', $do: '${user.nam}' } }, params),
      'a.$do: ${user.nam} is not the name of a parameter',
    ],
    [template({ a: { $rules: 'ru', $part: 'mine' } }), 'a: $part must be one of own, own-names'],
    [template({ a: { $iff: 1 } }), 'a.$iff: there is no $iff'],
    [template({}, { p: { type: 'port', description: '', default: 0 } }), 'params.p.default: p: must be 1 to 65535'],
    [template({}, { p: { type: 'string', description: '', pattern: '(' } }), 'regular expression'],
  ])('%j is refused', (wrong, words) => {
    const problem = problemOf(() => checkTemplate(wrong));
    expect(problem.code).toBe('template.invalid');
    expect(problem.message).toContain(words);
  });

  const secrets: Template['params'] = {
    ...params,
    key: { type: 'secret', description: '', optional: true },
    keys: { type: 'list', description: '', items: { type: 'secret', description: '' }, optional: true },
  };
  const withUsers = (item: object) => ({ users: { $each: '${users}', $as: 'user', $do: item } });
  test.each([
    { outbounds: [{ tag: '${key}' }] },
    { tag: 'a-${key}' },
    { tag: { $when: '${on}', $then: 'x', $else: '${key}' } },
    { headers: { $when: '${on}', $then: { 'User-Agent': '${key}' } } },
    { tags: '${keys}' },
    { tags: { $each: '${keys}', $do: '${item}' } },
    { tags: { $each: ['${key}'], $do: '${item}' } },
    { password: { $each: { $when: '${on}', $then: '${users}' }, $do: '${item.password}' } },
    { password: { $when: { $eq: ['${key}', 'guess'] }, $then: 'x' } },
    { password: { $when: { $all: [{ $not: { $in: ['guess', '${keys}'] } }] }, $then: 'x' } },
    { rules: { $rules: '${key}', $part: 'own' } },
    { rules: { $rules: 'ru', $part: 'own', $with: { outbound: '${key}' } } },
    withUsers({ name: '${user.password}', password: '${user.password}' }),
  ])('%j shows a secret, and is refused', (document) => {
    const problem = problemOf(() => checkTemplate(template(document, secrets)));
    expect(problem).toMatchObject({ code: 'template.invalid', message: expect.stringContaining('would be shown') });
  });

  test.each([
    withUsers({ name: '${user.name}', password: '${user.password}' }),
    { users: '${users}' },
    { password: 'a${key}', headers: { Authorization: ['Bearer ${key}'] } },
    { outbounds: [{ $when: '${key}', $then: { private_key: '${key}', tls: { key: ['${key}'] } } }] },
    { url: 'https://example.com/${key}?token=${key}' },
  ])('%j hides its secrets, and is sound', (document) => {
    expect(problemOf(() => checkTemplate(template(document, secrets))).message).toBe('');
  });

  test.each(readyTemplates.map((ready) => [ready.name, ready] as const))('%s is sound', (_, ready) => {
    expect(templateSchema.safeParse(ready).success).toBe(true);
    expect(() => checkTemplate(ready)).not.toThrow();
    // Data and nothing else: it may be stored and sent.
    expect(JSON.parse(JSON.stringify(ready))).toEqual(ready);
  });
});
