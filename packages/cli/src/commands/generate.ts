import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { checkReferences, type EngineTarget, type LeftOut, type Rendered } from '@sbox/engines/sing-box/render';
import type { FoundEngine } from '@sbox/engines/sing-box/run';
import { flag, text, type Call } from '../command.ts';
import { counted } from '../counted.ts';
import { checkText } from '../engine.ts';
import { findTarget } from '../local/engine-target.ts';
import { prepare, type Prepared } from '../local/prepare.ts';
import { recipeOf } from '../local/recipe-options.ts';
import type { Recipe } from '../local/recipe.ts';
import { writeWhole } from '../write-file.ts';

export const generate = async (call: Call): Promise<void> => await generateFrom(await recipeOf(call), call);

/** Reads, renders, proves and writes: nothing is written that a check or a test refuses. */
export async function generateFrom(recipe: Recipe, call: Call): Promise<void> {
  const { out } = call;
  const to = text(call, 'to') ?? 'sing-box';
  if (to !== 'sing-box') throw new ProblemError('engine.unsupported', `--to ${to}`);
  // The engine starts while subscriptions are read.
  const [{ target, engine }, prepared] = await Promise.all([
    findTarget(call),
    prepare(recipe, call, { withTrace: flag(call, 'explain') || hasPolicies(call) }),
  ]);
  const copies = copiesIn(prepared.sources);
  if (copies > 0) out.talk(`${counted(copies, 'node')} left out: the same as others of another name or source`);
  if (flag(call, 'explain') && prepared.result)
    for (const line of (await import('../local/piped.ts')).traceLines(prepared.result)) out.talk(line);
  const rendered = renderSaying(prepared, target, call);
  if (hasPolicies(call)) await requirePolicies(recipe, prepared, rendered, call);
  for (const { path: at, message } of rendered.warnings) out.talk(`note: ${at}: ${message}`);
  refuseFindings(rendered);
  const tested = recipe.tests.length === 0 ? '' : ` · ${await runTests(recipe, prepared, rendered, { target, call })}`;
  const checked = engine && call.options['check'] !== false ? await requireCheck(engine, rendered.text) : 'not checked';
  const isDry = flag(call, 'dryRun');
  if (!isDry) await deliver(rendered.text, call);
  out.talk(
    `${counted(rendered.nodes.length, 'node')}, ${rendered.text.length} bytes for sing-box ${target.version} · ${checked}${tested}${isDry ? ' · nothing was written' : ''}`,
  );
}

/** How many nodes are the same as another one: server, credentials and transport, whatever they are called. */
function copiesIn(sources: Prepared['sources']): number {
  const ids = sources.flatMap(({ nodes }) => nodes.map(({ id }) => id));
  return ids.length - new Set(ids).size;
}

/** Renders, and names what is left out; also where nothing is left. */
export function renderSaying({ render, sources }: Prepared, target: EngineTarget, { out }: Call): Rendered {
  const say = (left: readonly LeftOut[]): void => {
    for (const { tag, reason } of left) out.talk(`left out ${tag}: ${reason}`);
  };
  try {
    const rendered = render(target);
    say(rendered.left_out);
    return rendered;
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== 'config.no-nodes') throw error;
    const left = (error.details?.['left_out'] ?? []) as readonly LeftOut[];
    say(left);
    const read = sources.reduce((count, { nodes }) => count + nodes.length, 0);
    throw noNodesHere(error, { read, isLeftOut: left.length > 0 });
  }
}

/** The same problem, with what helps where there is no manager. */
function noNodesHere(
  cause: ProblemError,
  { read, isLeftOut }: { readonly read: number; readonly isLeftOut: boolean },
): ProblemError {
  const { message, details } = cause;
  const more = { cause, ...(details === undefined ? {} : { details }) };
  if (isLeftOut)
    return new ProblemError('config.no-nodes', message, {
      ...more,
      fix: 'See what another engine can run: sboxmgr engine capabilities',
    });
  if (read === 0)
    return new ProblemError('config.no-nodes', message, {
      ...more,
      fix: 'Name a subscription that has some: --from FILE|URL   ·   look at it: sboxmgr inspect FILE|URL',
    });
  return new ProblemError('config.no-nodes', `the pipeline dropped all of ${counted(read, 'node')}`, {
    ...more,
    fix: 'See which operator did it, and why: --explain',
  });
}

const hasPolicies = ({ options }: Call): boolean => options['policies'] !== undefined;

/** Says what the policies that are on find. @throws ProblemError `policy.denied` */
async function requirePolicies(recipe: Recipe, prepared: Prepared, rendered: Rendered, call: Call): Promise<void> {
  const { policies } = await (
    await import('../local/policies-file.ts')
  ).readPolicies(call.host, text(call, 'policies'));
  const { placeOf, runPolicies } = await import('../local/run-policies.ts');
  const findings = runPolicies(policies, recipe, prepared, () => rendered);
  const named = findings.map((finding) => ({
    verdict: finding.verdict,
    what: `${placeOf(finding)}: ${finding.reason} (${finding.policy})`,
  }));
  for (const { verdict, what } of named) call.out.talk(`${verdict === 'deny' ? '✗' : '!'} ${what}`);
  const first = named.find(({ verdict }) => verdict === 'deny');
  if (first) throw new ProblemError('policy.denied', first.what, { details: { findings } });
}

function refuseFindings({ config }: Rendered): void {
  const findings = checkReferences(config);
  const [first] = findings;
  if (first) throw new ProblemError('config.invalid', `${first.path}: ${first.message}`, { details: { findings } });
}

/** `3 tests passed`. @throws ProblemError `config.test-failed`, unless the recipe says that tests only warn */
async function runTests(
  { tests, tests_block }: Recipe,
  { ruleSets }: Prepared,
  { config }: Rendered,
  { target, call }: { target: EngineTarget; call: Call },
): Promise<string> {
  const { runConfigTests } = await import('@sbox/pipeline');
  const failed = runConfigTests(config, tests, ruleSets, { version: target.version }).filter(({ ok }) => !ok);
  const [first] = failed;
  if (first === undefined) return `${counted(tests.length, 'test')} passed`;
  for (const { name, detail } of failed) call.out.talk(`✗ ${name}: ${detail}`);
  if (!tests_block) return `${failed.length} of ${tests.length} tests failed`;
  throw new ProblemError('config.test-failed', `${first.name}: ${first.detail}`, {
    details: { failed: failed.map(({ name, detail }) => ({ name, detail })) },
    fix: failed.some(({ detail }) => detail.includes('the content of the rule-set'))
      ? 'Fetch the rule-sets, so that the test can look into them: --rule-sets DIR'
      : 'Correct the recipe or the test. Why it goes there: sboxmgr explain dest HOST:PORT --recipe FILE',
  });
}

/** `sing-box check ok`. @throws ProblemError `engine.check-failed` with the words of the engine */
export async function requireCheck(engine: FoundEngine, content: string): Promise<string> {
  const complaint = await checkText(engine, content);
  if (!complaint) return 'sing-box check ok';
  const where = complaint.path === undefined ? '' : `${complaint.path}: `;
  throw new ProblemError('engine.check-failed', `${where}${complaint.message}`);
}

/** Writes to `--file`, or prints. */
export async function deliver(content: string, call: Call): Promise<void> {
  const file = text(call, 'file') ?? '-';
  if (file === '-') call.out.raw(content);
  else await writeWhole(path.resolve(call.host.cwd, file), content);
}
