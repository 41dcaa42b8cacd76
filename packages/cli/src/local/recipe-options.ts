import path from 'node:path';
import { ProblemError } from '@sbox/core';
import type { Operator } from '@sbox/protocol/pipeline';
import { text, texts, wholeNumber, type Call } from '../command.ts';
import { isUrl, type Recipe, type RecipeSource, type TemplateChoice } from './recipe.ts';

const defaultPort = 2080;
const empty: Recipe = { subscriptions: [], pipeline: [], settings: {}, patch: [], tests: [], tests_block: true };

/**
 * The recipe that `--recipe` names, with what the other options say over it.
 * @throws ProblemError `command.usage`, `recipe.invalid`, `pipeline.invalid`, `template.*`
 */
export async function recipeOf(call: Call): Promise<Recipe> {
  const file = text(call, 'recipe');
  const base = file === undefined ? empty : await (await import('./recipe-file.ts')).readRecipe(file, call.host);
  const template = await templateOf(call, base.template);
  const subscriptions = [...base.subscriptions, ...texts(call, 'from').map((from) => sourceOf(from, call))];
  if (subscriptions.length === 0 && template === undefined)
    throw new ProblemError('command.usage', 'no subscription was named', {
      fix: '--from FILE|URL|-   or   --recipe FILE',
    });
  const patchFile = text(call, 'patch');
  return {
    ...base,
    subscriptions,
    pipeline: [...base.pipeline, ...(await operatorsOf(call))],
    ...(template === undefined ? {} : { template }),
    settings: settingsOf(call, base.settings),
    patch: [...base.patch, ...(patchFile === undefined ? [] : await patchOf(patchFile, call))],
  };
}

const sourceOf = (from: string, { host }: Call): RecipeSource => ({
  source: from === '-' || isUrl(from) ? from : path.resolve(host.cwd, from),
});

async function templateOf(call: Call, base: TemplateChoice | undefined): Promise<TemplateChoice | undefined> {
  const named = text(call, 'template');
  const hasTun = inboundTypes(call).includes('tun');
  if (named === undefined && base === undefined && !hasTun) {
    if (texts(call, 'set').length > 0)
      throw new ProblemError('command.usage', '--set needs a template', {
        fix: '--template mixed   ·   all: sboxmgr template list',
      });
    return undefined;
  }
  const { choiceOf } = await import('./templates.ts');
  const choice =
    named === undefined ? (base ?? { name: 'tun-gateway', params: {} }) : { ...choiceOf(named), params: {} };
  const file = choice.file === undefined ? {} : { file: path.resolve(call.host.cwd, choice.file) };
  return { ...choice, ...file, params: { ...choice.params, ...paramsOf(call) } };
}

/** Options that stand for a parameter of the templates for clients. */
function paramsOf(call: Call): Record<string, unknown> {
  const types = inboundTypes(call);
  const [port, url] = [text(call, 'port'), text(call, 'urltestUrl')];
  return {
    ...(types.length === 0 ? {} : { inbound: types.includes('tun') ? (types.length > 1 ? 'both' : 'tun') : 'mixed' }),
    ...(port === undefined ? {} : { port: portOf('--port', port) }),
    ...(url === undefined ? {} : { urltest_url: url }),
  };
}

const knownTypes = ['tun', 'mixed', 'socks', 'http'];

/** @throws ProblemError `command.usage` */
function inboundTypes(call: Call): string[] {
  const types = (text(call, 'inboundTypes') ?? '').split(',').flatMap((type) => type.trim() || []);
  const strange = types.find((type) => !knownTypes.includes(type));
  if (strange === undefined) return types;
  throw new ProblemError('command.usage', `--inbound-types: ${strange} is not one of ${knownTypes.join(', ')}`, {
    fix: 'Other inbounds: a template of your own, or --patch FILE.',
  });
}

export const portOf = (what: string, typed: string): number => wholeNumber(what, typed, { max: 65_535 });

function settingsOf(call: Call, base: Recipe['settings']): Recipe['settings'] {
  const [port, url] = [text(call, 'port'), text(call, 'urltestUrl')];
  const types = inboundTypes(call).filter((type): type is 'mixed' | 'socks' | 'http' => type !== 'tun');
  const first = port === undefined ? (base.inbounds?.[0]?.listen_port ?? defaultPort) : portOf('--port', port);
  const inbounds =
    types.length === 0 && port === undefined && base.inbounds !== undefined
      ? base.inbounds
      : (types.length === 0 ? (['mixed'] as const) : types).map((type, index) => ({
          type,
          tag: index === 0 ? 'in' : `in-${type}`,
          listen: base.inbounds?.[0]?.listen ?? '127.0.0.1',
          listen_port: first + index,
        }));
  return { ...base, inbounds, ...(url === undefined ? {} : { urltest: { ...base.urltest, url } }) };
}

async function operatorsOf(call: Call): Promise<readonly Operator[]> {
  const [keep, rename] = [text(call, 'filter'), text(call, 'rename')];
  const operators: unknown[] = [
    ...(keep === undefined ? [] : [{ operator: 'filter', keep: { expression: keep } }]),
    ...texts(call, 'exclude').map((expression) => ({ operator: 'filter', drop: { expression } })),
    ...(rename === undefined ? [] : [renameOf(rename)]),
  ];
  return operators.length === 0 ? [] : (await import('@sbox/pipeline')).validatePipeline(operators);
}

function renameOf(names: string): object {
  const [, pattern, replacement] = /^\/((?:[^/\\]|\\.)+)\/((?:[^/\\]|\\.)*)\/$/.exec(names) ?? [];
  return pattern === undefined
    ? { operator: 'rename', template: names }
    : { operator: 'rename', replace: [{ pattern, with: replacement }] };
}

async function patchOf(file: string, call: Call): Promise<Recipe['patch']> {
  const [{ readPatch }, { readDocument }] = [await import('./recipe-file.ts'), await import('./document-file.ts')];
  return readPatch(await readDocument(file, call.host, 'recipe.invalid'), 'patch');
}
