import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { validatePipeline } from '@sbox/pipeline';
import { configTestSchema, jsonPatchSchema, type ConfigTest, type JsonPatch } from '@sbox/protocol/pipeline';
import type { Host } from '../command.ts';
import { isRecord, readDocument } from './document-file.ts';
import { readWithSchema } from './read-with-schema.ts';
import { isUrl, type Recipe, type RecipeSource, type TemplateChoice } from './recipe.ts';

const code = 'recipe.invalid';
const invalid = (at: string, message: string): ProblemError => new ProblemError(code, `${at}: ${message}`);
/** What a recipe of a manager has beside these is taken too, so that one file serves both. */
const fields = [
  'name',
  'engine',
  'subscriptions',
  'pipeline',
  'template',
  'settings',
  'patch',
  'tests',
  'tests_block',
  'auto_deploy',
];
const maxTests = 500;

/**
 * Reads a recipe. Paths in it begin at its folder.
 * @throws ProblemError `recipe.invalid` with the field, `pipeline.invalid`, `file.*`
 */
export async function readRecipe(file: string, host: Pick<Host, 'cwd'>): Promise<Recipe> {
  const document = (await readDocument(file, host, code)) ?? {};
  if (!isRecord(document)) throw invalid(file, 'a recipe is an object');
  only(document, fields, '');
  const { subscriptions = [], pipeline = [], template, settings, patch = [], tests = [], engine } = document;
  if (engine !== undefined && engine !== 'sing-box') throw invalid('engine', 'must be sing-box');
  const dir = path.dirname(path.resolve(host.cwd, file));
  const { tests_block = true } = document;
  if (typeof tests_block !== 'boolean') throw invalid('tests_block', 'must be true or false');
  return {
    subscriptions: list(subscriptions, 'subscriptions').map((item, index) =>
      sourceOf(item, `subscriptions[${index}]`, dir),
    ),
    pipeline: validatePipeline(pipeline),
    ...(template === undefined ? {} : { template: templateOf(template, dir) }),
    settings: settings === undefined ? {} : (await import('./recipe-settings.ts')).readSettings(settings),
    patch: readPatch(patch, 'patch'),
    tests: readTests(tests),
    tests_block,
  };
}

/** @throws ProblemError `recipe.invalid` */
export const readPatch = (value: unknown, at: string): JsonPatch =>
  readWithSchema(jsonPatchSchema, value, { at, code });

/** @throws ProblemError `recipe.invalid` */
export function readTests(value: unknown): ConfigTest[] {
  const tests = list(value, 'tests');
  if (tests.length > maxTests) throw invalid('tests', `there are more than ${maxTests}`);
  return tests.map((test, index) => readWithSchema(configTestSchema, test, { at: `tests[${index}]`, code }));
}

function only(object: Readonly<Record<string, unknown>>, known: readonly string[], at: string): void {
  const strange = Object.keys(object).find((key) => !known.includes(key));
  if (strange !== undefined)
    throw invalid(at === '' ? strange : `${at}.${strange}`, `there is no such field; there are ${known.join(', ')}`);
}

function list(value: unknown, at: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(at, 'must be a list');
  return value;
}

function texts<Key extends string>(object: Readonly<Record<string, unknown>>, keys: readonly Key[], at: string) {
  const given = keys.flatMap((key): [Key, string][] => {
    const value = object[key];
    if (value === undefined) return [];
    if (typeof value !== 'string' || value === '') throw invalid(`${at}.${key}`, 'must be a text');
    return [[key, value]];
  });
  return Object.fromEntries(given) as Partial<Record<Key, string>>;
}

const place = (source: string, dir: string): string =>
  source === '-' || isUrl(source) ? source : path.resolve(dir, source);

function sourceOf(item: unknown, at: string, dir: string): RecipeSource {
  if (typeof item === 'string' && item !== '') return { source: place(item, dir) };
  if (!isRecord(item)) throw invalid(at, 'must be a file, a URL or -, or an object with source');
  only(item, ['name', 'source', 'text', 'user_agent', 'headers'], at);
  const { source, ...rest } = texts(item, ['name', 'source', 'text', 'user_agent'], at);
  if ((source === undefined) === (rest.text === undefined)) throw invalid(at, 'must have either source or text');
  const { headers } = item;
  if (headers === undefined) return { ...rest, source: place(source ?? '-', dir) };
  if (!isRecord(headers)) throw invalid(`${at}.headers`, 'must be an object');
  const named = texts(headers, Object.keys(headers), `${at}.headers`) as Record<string, string>;
  return { ...rest, source: place(source ?? '-', dir), headers: named };
}

function templateOf(value: unknown, dir: string): TemplateChoice {
  if (typeof value === 'string' && value !== '') return { name: value, params: {} };
  if (!isRecord(value)) throw invalid('template', 'must be a name, or an object with name or file');
  only(value, ['name', 'file', 'params', 'version'], 'template');
  const { name, file } = texts(value, ['name', 'file'], 'template');
  const { params = {} } = value;
  if ((name === undefined) === (file === undefined)) throw invalid('template', 'must have either name or file');
  if (!isRecord(params)) throw invalid('template.params', 'must be an object');
  return { name: name ?? file ?? '', ...(file === undefined ? {} : { file: path.resolve(dir, file) }), params };
}
