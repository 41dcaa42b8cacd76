import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { flag, text, type Call } from '../command.ts';
import { connect, type Connection } from '../connection.ts';
import { counted } from '../counted.ts';
import { appliedText, applyPlan } from '../files/apply.ts';
import { exportTo } from '../files/export.ts';
import { makePlan, type Plan } from '../files/plan.ts';
import { hasDifference, planJson, planText } from '../files/plan-text.ts';
import { readDirectory, type Complaint } from '../files/read-directory.ts';
import type { Sources } from '../files/substitute.ts';

/** Answered by a plan with something to do, as by `diff --exit-code`. */
const differs = 20;

function directoryOf(call: Call, option: string, fix: string): string {
  const dir = text(call, option);
  if (dir === undefined) throw new ProblemError('command.usage', 'no directory was named', { fix });
  return path.resolve(call.host.cwd, dir);
}

const sourcesOf = (call: Call, dir: string): Sources => ({
  env: call.host.env,
  dir: path.resolve(call.host.cwd, text(call, 'secrets') ?? dir),
});

/** Writes everything that the manager has as files. */
export const exportFiles = async (call: Call): Promise<void> => {
  const dir = directoryOf(call, 'directory', 'sboxmgr export -d DIR');
  await using connection = await connect(call);
  const reveal = flag(call, 'reveal');
  const sources = sourcesOf(call, dir);
  const exported = await exportTo(connection.client, dir, { reveal, force: flag(call, 'force'), sources });
  const { written, kept, hidden } = exported;
  if (hidden.length > 0 && !reveal)
    call.out.talk(
      `hidden values are in ${hidden.join(', ')}: this manager keeps what it has, another one refuses them`,
    );
  if (reveal) call.out.talk('secrets are in these files: do not commit them as they are');
  await call.out.thing(exported, () =>
    call.out.text(
      [
        ...written.map((file) => `wrote ${file}`),
        `${counted(written.length, 'file')} written, ${kept.length} left as they are`,
      ].join('\n'),
    ),
  );
};

/** What an apply would do; exit 20 when that is anything. */
export const plan = async (call: Call): Promise<number> => {
  await using connection = await connect(call);
  const made = await planOf(connection, call);
  await show(made, connection, call);
  return hasDifference(made) ? differs : 0;
};

/** Does what the plan says, after asking. */
export const apply = async (call: Call): Promise<number> => {
  if (flag(call, 'dryRun')) return await plan(call);
  const { out, host } = call;
  await using connection = await connect(call);
  const made = await planOf(connection, call);
  const isJson = out.format === 'json' || out.format === 'yaml';
  if (!isJson) await show(made, connection, call);
  if (hasDifference(made) && !(await isAgreed(call))) {
    out.talk('nothing was done');
    return 1;
  }
  const done = await applyPlan(connection.client, made, {
    generate: flag(call, 'generate'),
    signal: host.signal,
    say: (line) => out.talk(`done: ${line}`),
    warn: (line) => out.talk(line),
  });
  const { failed, exitCode, ...rest } = done;
  if (isJson) {
    const stopped = failed ? { failed: failed.step } : {};
    await out.thing({
      ...planJson(made, { manager: connection.url, prune: flag(call, 'prune') }),
      ...rest,
      ...stopped,
    });
  }
  if (!failed) {
    if (!isJson) out.talk(appliedText(done, made));
    return 0;
  }
  out.problem(failed.error);
  if (!isJson) host.stderr(`${out.text(appliedText(done, made))}\n`);
  return exitCode;
};

async function planOf({ client }: Connection, call: Call): Promise<Plan> {
  const dir = directoryOf(call, 'files', `sboxmgr plan -f DIR`);
  const read = await readDirectory(dir, sourcesOf(call, dir));
  try {
    return await makePlan(client, read, { prune: flag(call, 'prune') });
  } catch (error) {
    if (error instanceof ProblemError && error.code === 'files.invalid' && call.out.format !== 'json')
      for (const { file, line, column, message } of placesOf(error))
        call.host.stderr(`${file}:${line}:${column}: ${printable(message)}\n`);
    throw error;
  }
}

const placesOf = ({ details }: ProblemError): readonly Complaint[] =>
  (details?.['places'] ?? []) as readonly Complaint[];
/** Texts of files cannot draw on a terminal. */
const printable = (message: string): string => message.replaceAll(/\p{Cc}/gu, ' ');

async function show(made: Plan, { url }: Connection, call: Call): Promise<void> {
  const { out } = call;
  if (out.format === 'name') {
    for (const { action, kind, name } of made.steps) if (action !== 'unchanged') out.raw(`${kind.name}/${name}\n`);
    return;
  }
  await out.thing(planJson(made, { manager: url, prune: flag(call, 'prune') }), () => out.text(planText(made)));
}

/** @throws ProblemError `command.usage` where nobody can be asked */
async function isAgreed(call: Call): Promise<boolean> {
  if (flag(call, 'yes')) return true;
  if (!call.host.ask)
    throw new ProblemError('command.usage', 'nobody is there to be asked; nothing was done', { fix: '--yes does it' });
  return /^y(es)?$/i.test((await call.host.ask(call.out.text('Do this? [y/N] '))).trim());
}
