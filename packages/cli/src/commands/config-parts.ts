import { ProblemError } from '@sbox/core';
import { validatePipeline } from '@sbox/pipeline';
import type { operatorContract, RouteInput } from '@sbox/protocol';
import { text, texts, type Call } from '../command.ts';
import type { OperatorClient } from '../connection.ts';
import { isRecord, readDocument } from '../local/document-file.ts';
import { readPatch, readTests } from '../local/recipe-file.ts';
import { portOf } from '../local/recipe-options.ts';
import { paramsOf } from '../local/templates.ts';

type ConfigWrite = RouteInput<typeof operatorContract.configs.create>['body'];
type Parts = Pick<ConfigWrite, 'pipeline' | 'template' | 'patch' | 'tests' | 'tests_block'>;

/**
 * The parts of a recipe that options name as files, read and looked through before anything is sent.
 * @throws ProblemError `pipeline.invalid`, `recipe.invalid`, `file.*`, `template.not-found`
 */
export async function readRecipeParts(client: OperatorClient, call: Call): Promise<Parts> {
  const [pipeline, patch, tests] = [
    await listIn(call, 'pipeline'),
    await listIn(call, 'patch'),
    await listIn(call, 'tests'),
  ];
  const template = await templateOf(client, call);
  const block = call.options['testsBlock'];
  return {
    ...(pipeline === undefined ? {} : { pipeline: [...validatePipeline(pipeline)] }),
    ...(template === undefined ? {} : { template }),
    ...(patch === undefined ? {} : { patch: readPatch(patch, 'patch') }),
    ...(tests === undefined ? {} : { tests: readTests(tests) }),
    ...(typeof block === 'boolean' ? { tests_block: block } : {}),
  };
}

/** A file with the list itself, or a recipe that has it under its name. */
async function listIn(call: Call, part: 'pipeline' | 'patch' | 'tests'): Promise<unknown> {
  const file = text(call, part);
  if (file === undefined) return undefined;
  const document = (await readDocument(file, call.host, 'recipe.invalid')) ?? [];
  return isRecord(document) && part in document ? document[part] : document;
}

/** `--template NAME@VERSION --set name=value`, with the values in the types that the template wants. */
async function templateOf(client: OperatorClient, call: Call): Promise<Parts['template']> {
  const [typed, values] = [text(call, 'template'), texts(call, 'set')];
  if (typed === undefined) {
    if (values.length === 0) return undefined;
    throw new ProblemError('command.usage', '--set needs --template', { fix: '--template NAME --set name=value' });
  }
  const [, name = typed, version] = /^(.+)@(\d+)$/.exec(typed) ?? [];
  const which = version === undefined ? {} : { version: Number(version) };
  const { params } = await client.templates.get({
    params: { name },
    query: version === undefined ? {} : { version },
  });
  const typedParams = paramsOf({ params }, values);
  // Plain `mixed` is filled from the settings; every other template listens where its parameters say.
  if (isPlainMixed({ name, ...which, params: typedParams })) return { name, params: {} };
  return { name, ...which, params: { ...paramsOfOptions(call), ...typedParams } };
}

/** Whether the settings say where the engine listens. */
export const isPlainMixed = ({ name, version, params }: NonNullable<Parts['template']>): boolean =>
  name === 'mixed' && version === undefined && Object.keys(params ?? {}).length === 0;

/** Options that stand for a parameter of the templates for clients. */
function paramsOfOptions(call: Call): Record<string, unknown> {
  const [port, listen, url] = [text(call, 'port'), text(call, 'listen'), text(call, 'urltestUrl')];
  return {
    ...(port === undefined ? {} : { port: portOf('--port', port) }),
    ...(listen === undefined ? {} : { listen }),
    ...(url === undefined ? {} : { urltest_url: url }),
  };
}

/**
 * Settings that a config with this template would take and never look at are refused.
 * @throws ProblemError `command.usage`
 */
export function refuseUnused(template: { readonly name: string }, call: Call): void {
  const [first] = Object.entries(paramsOfOptions(call));
  if (first === undefined) return;
  const [param, value] = first;
  throw new ProblemError('command.usage', `the template ${template.name} of this config says that, not its settings`, {
    fix: `--template ${template.name} --set ${param}=${String(value)}, with every other parameter that is not at its default`,
  });
}
