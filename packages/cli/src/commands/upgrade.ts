import { lineOf, wholeVersion, type EngineTarget, type Rendered } from '@sbox/engines/sing-box/render';
import { upgradePreview, type UpgradePreview } from '@sbox/pipeline';
import { ProblemError } from '@sbox/core';
import { arg, text, type Call } from '../command.ts';
import { changesLines, isSame } from '../changes-text.ts';
import { checkText } from '../engine.ts';
import { readConfigFile } from '../local/config-file.ts';
import { findAnyTarget, newerThanKnown, tagsOf } from '../local/engine-target.ts';
import { prepare, type Prepared } from '../local/prepare.ts';
import { recipeOf } from '../local/recipe-options.ts';
import type { Recipe } from '../local/recipe.ts';
import { withClient } from './remote.ts';

const breaks = 7;

/** What another version of the engine would change in what a recipe makes, or in a file. */
export const previewUpgrade = async (call: Call): Promise<number> => {
  const [file] = call.args;
  const to = toVersion(call);
  const asked = text(call, 'from');
  const { target: own, engine } = await findAnyTarget(call);
  const tags = tagsOf(call) ?? own.tags;
  const target = (version: string): EngineTarget => ({ engine: 'sing-box', version: wholeVersion(version), tags });
  const { render, tests, ruleSets } = await rendererOf(call, file);
  const preview = upgradePreview({
    from: asked === undefined ? { ...own, tags } : target(asked),
    to: target(to),
    render,
    tests,
    ruleSets,
  });
  const isAsked = engine !== undefined && lineOf(engine.version) === lineOf(to) && preview.problem === null;
  const complaint = isAsked ? await checkText(engine, render(target(to)).text) : undefined;
  const engine_check = isAsked ? { ok: !complaint, message: complaint?.message ?? '' } : null;
  const answer = { ...preview, engine_check, ok: preview.ok && engine_check?.ok !== false };
  await call.out.thing(answer, () => previewLines(answer).join('\n'));
  return answer.ok ? 0 : breaks;
};

function toVersion(call: Call): string {
  const to = text(call, 'to');
  if (to !== undefined && /^\d+\.\d+(\.\d+)?/.test(to)) return to;
  throw new ProblemError('command.usage', '--to is a version', { fix: '--to 1.14' });
}

async function rendererOf(
  call: Call,
  file: string | undefined,
): Promise<Pick<Prepared, 'render' | 'ruleSets'> & Pick<Recipe, 'tests'>> {
  if (file === undefined) {
    const recipe = await recipeOf({ ...call, options: { ...call.options, from: undefined } });
    const { render, ruleSets } = await prepare(recipe, call);
    return { render, ruleSets, tests: recipe.tests };
  }
  const { config, text: content } = await readConfigFile(file, call.host);
  // A file is taken as it is: nothing in it is written anew for another version.
  const rendered: Rendered = { config, text: content, left_out: [], warnings: [], files: [], once: [], nodes: [] };
  return { render: () => rendered, ruleSets: new Map(), tests: [] };
}

interface Shown extends Pick<UpgradePreview, 'from' | 'to' | 'ok' | 'problem' | 'engine_check'> {
  readonly changes: Parameters<typeof changesLines>[0] | null;
  readonly lost: readonly { readonly tag: string; readonly reason: string }[];
  readonly gained: readonly { readonly tag: string }[];
  readonly warnings: readonly { readonly path: string; readonly message: string }[];
  readonly deprecations: UpgradePreview['deprecations'];
  readonly behaviour: UpgradePreview['behaviour'];
  readonly rewritten: UpgradePreview['rewritten'];
  readonly findings: readonly { readonly path: string; readonly message: string }[];
  readonly broken_tests: readonly { readonly name: string; readonly detail: string }[];
}

function previewLines(preview: Shown): string[] {
  const { from, to, ok, problem, changes, engine_check } = preview;
  const newer = newerThanKnown(to);
  return [
    `sing-box ${from} → ${to}: ${ok ? 'it would run' : 'it would break'}`,
    ...(newer === undefined ? [] : [`! ${newer}`]),
    ...(problem ? [`✗ ${problem.code}: ${problem.detail}`] : []),
    ...preview.deprecations.map(
      ({ effect, path, name, instead }) => `${effect === 'fails' ? '✗' : '!'} ${path}: ${name}; instead: ${instead}`,
    ),
    ...preview.findings.map(({ path, message }) => `✗ ${path}: ${message}`),
    ...preview.broken_tests.map(({ name, detail }) => `✗ test ${name}: ${detail}`),
    ...preview.lost.map(({ tag, reason }) => `- ${tag}: ${reason}`),
    ...preview.gained.map(({ tag }) => `+ ${tag} can run there`),
    ...preview.behaviour.map(({ path, what }) => `! ${path}: ${what}`),
    ...preview.rewritten.map(({ path, name }) => `~ ${path}: ${name} is written in the new way`),
    ...preview.warnings.map(({ path, message }) => `! ${path}: ${message}`),
    ...(changes && !isSame(changes) ? ['what changes:', ...changesLines(changes).map((line) => `  ${line}`)] : []),
    ...(engine_check
      ? [`${engine_check.ok ? '✔' : '✗'} check of the engine${engine_check.message ? `: ${engine_check.message}` : ''}`]
      : []),
  ];
}

/** The same about a config of the manager. */
export const remotePreview = withClient(async (client, call) => {
  const from = text(call, 'from');
  const found = await client.configs.upgradePreview({
    params: { id: arg(call, 0) },
    body: { to: toVersion(call), ...(from === undefined ? {} : { from }) },
  });
  await call.out.thing(found, () => previewLines(found).join('\n'));
  return found.ok ? 0 : breaks;
});
