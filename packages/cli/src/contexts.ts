import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { text, type Call } from './command.ts';
import { findContext, readContexts, type Context } from './context-file.ts';
import { isRecord, readDocument } from './local/document-file.ts';

/** Which manager is meant, and what goes with it. */
export interface Choice {
  readonly url: string;
  /** For people: `context "local" from the user file`, `SBOXMGR_URL`. */
  readonly label: string;
  readonly name?: string;
  readonly context?: Context;
  /**
   * Whether `SBOXMGR_TOKEN_FILE` is meant for it. A token goes only to a manager that was named by who named the token:
   * neither a directory that one stands in nor a context decides who is sent it.
   */
  readonly takesVariables: boolean;
  readonly isDefault: boolean;
}

const defaultUrl = 'http://127.0.0.1:4780';
const projectFile = 'sboxmgr.yaml';
const maxBytes = 64 * 1024;

interface Named {
  readonly context: string | undefined;
  readonly manager: string | undefined;
  readonly from: string;
  readonly takesVariables: boolean;
}

/** The first that names a manager: options, variables, ./sboxmgr.yaml, the user's current context, the default. */
export async function chooseManager(call: Call): Promise<Choice> {
  const { env } = call.host;
  const typed: Named = {
    context: text(call, 'context'),
    manager: text(call, 'manager'),
    from: 'the options',
    // Of a context that was typed only its own: else another one's token would stay in the variable unseen.
    takesVariables: text(call, 'context') === undefined,
  };
  const variables: Named = {
    context: env['SBOXMGR_CONTEXT'],
    manager: env['SBOXMGR_URL'],
    from: 'SBOXMGR_CONTEXT',
    takesVariables: true,
  };
  for (const named of [typed, variables]) {
    const found = await resolve(named, call);
    if (found) return found;
  }
  const ofProject = await readProject(call.host.cwd);
  const found = ofProject && (await resolve(ofProject, call));
  if (found) return found;
  const contexts = await readContexts(call.host);
  const { current } = contexts;
  if (current !== undefined) {
    const context = findContext(contexts, current, 'the user file');
    return ofContext(current, context, { from: 'the user file', takesVariables: false });
  }
  return { url: defaultUrl, label: 'the default', takesVariables: true, isDefault: true };
}

async function resolve(named: Named, call: Call): Promise<Choice | undefined> {
  const { context: name, manager, from, takesVariables } = named;
  if (name !== undefined && manager !== undefined)
    throw new ProblemError(
      'command.usage',
      `${from === 'SBOXMGR_CONTEXT' ? 'variables name' : `${from} name`} a context and a manager`,
      {
        fix: 'Leave one of them away: a context has an address of its own.',
      },
    );
  if (name !== undefined) return ofContext(name, findContext(await readContexts(call.host), name, from), named);
  if (manager === undefined) return undefined;
  const label = from === 'SBOXMGR_CONTEXT' ? 'SBOXMGR_URL' : from;
  return { url: manager, label, takesVariables, isDefault: false };
}

const ofContext = (
  name: string,
  context: Context,
  { from, takesVariables }: Pick<Named, 'from' | 'takesVariables'>,
): Choice => ({
  url: context.manager,
  label: `context "${name}" from ${from}`,
  name,
  context,
  takesVariables,
  isDefault: false,
});

/** What a project says about its manager: a name that its users have given it, or an address. Never a token. */
async function readProject(cwd: string): Promise<Named | undefined> {
  const file = path.join(cwd, projectFile);
  const known = await lstat(file).catch(() => undefined);
  if (!known) return undefined;
  const from = `./${projectFile}`;
  const wrong = (what: string): ProblemError =>
    new ProblemError('settings.invalid', `${from} ${what}`, {
      fix: 'It may hold one line: context: NAME, or manager: URL.',
    });
  if (!known.isFile() || known.size > maxBytes) throw wrong('is no small file');
  const said = (await readDocument(file, { cwd }, 'settings.invalid')) ?? {};
  if (!isRecord(said)) throw wrong('holds no fields');
  const strange = Object.keys(said).find((field) => field !== 'context' && field !== 'manager');
  if (strange !== undefined) throw wrong(`has a field ${strange}, which is not known`);
  const { context, manager } = said;
  if (![context, manager].every((value) => value === undefined || typeof value === 'string'))
    throw wrong('has a value that is no text');
  return {
    context: context as string | undefined,
    manager: manager as string | undefined,
    from,
    takesVariables: false,
  };
}
