import path from 'node:path';
import { runConfigTests, toJUnit, type ConfigTestResult } from '@sbox/pipeline';
import { ProblemError } from '@sbox/core';
import { text, type Call } from '../command.ts';
import { connect } from '../connection.ts';
import { counted } from '../counted.ts';
import { findAnyTarget } from '../local/engine-target.ts';
import { prepare } from '../local/prepare.ts';
import { recipeOf } from '../local/recipe-options.ts';
import { writeWhole } from '../write-file.ts';

type Shown = Pick<ConfigTestResult, 'name' | 'ok' | 'detail'>;
const failed = 7;

/** Runs the tests of a recipe here, or those of a config at the manager. */
export const testConfig = async (call: Call): Promise<number> => {
  const [name] = call.args;
  if ((name === undefined) === (text(call, 'recipe') === undefined))
    throw new ProblemError('command.usage', 'either a config of the manager or a recipe is tested', {
      fix: 'sboxmgr config test NAME   or   sboxmgr config test --recipe FILE',
    });
  const results = name === undefined ? await testRecipe(call) : await testRemote(call, name);
  const junit = text(call, 'junit');
  if (junit !== undefined) {
    const suite = name ?? path.basename(text(call, 'recipe') ?? '');
    const report = toJUnit(results, suite);
    if (junit === '-') call.out.raw(report);
    else await writeWhole(path.resolve(call.host.cwd, junit), report);
  }
  const broken = results.filter(({ ok }) => !ok).length;
  const lines = [
    ...results.map(({ ok, name: test, detail }) => `${ok ? '✔' : '✗'} ${test}: ${detail}`),
    `${counted(results.length, 'test')}, ${broken} failed`,
  ];
  if (junit === '-') for (const line of lines) call.out.talk(line);
  else await call.out.thing({ ok: broken === 0, results }, () => lines.join('\n'));
  return broken === 0 ? 0 : failed;
};

async function testRecipe(call: Call): Promise<readonly Shown[]> {
  const recipe = await recipeOf(call);
  if (recipe.tests.length === 0) call.out.talk('the recipe has no tests');
  const [{ target }, prepared] = await Promise.all([findAnyTarget(call), prepare(recipe, call)]);
  const { config } = prepared.render(target);
  const results = runConfigTests(config, recipe.tests, prepared.ruleSets, { version: target.version });
  return results.map(({ name, ok, detail }) => ({ name, ok, detail }));
}

async function testRemote(call: Call, id: string): Promise<readonly Shown[]> {
  await using connection = await connect(call);
  const { results } = await connection.client.configs.tests({ params: { id } });
  if (results.length === 0) call.out.talk(`${id} has no tests. Give it some: sboxmgr config edit ${id} --tests FILE`);
  return results;
}
