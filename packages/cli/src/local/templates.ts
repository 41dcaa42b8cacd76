import { ProblemError } from '@sbox/core';
import type { Json } from '@sbox/engines/sing-box/render';
import { checkTemplate, fillTemplate, patchDocument, readyTemplate, readyTemplates } from '@sbox/pipeline';
import { templateSchema, type Template } from '@sbox/protocol/pipeline';
import type { Host } from '../command.ts';
import { readDocument } from './document-file.ts';
import { readWithSchema } from './read-with-schema.ts';
import type { Recipe, TemplateChoice } from './recipe.ts';

/**
 * Reads a template and looks for everything in it that would fail later.
 * @throws ProblemError `template.invalid`, `file.*`
 */
export async function readTemplate(file: string, host: Pick<Host, 'cwd'>): Promise<Template> {
  const document = await readDocument(file, host, 'template.invalid');
  const template = readWithSchema(templateSchema, document, { at: '', code: 'template.invalid' });
  checkTemplate(template);
  return template;
}

/** What looks like a path is a file, everything else a template that comes with the program. */
export const choiceOf = (nameOrFile: string): Omit<TemplateChoice, 'params'> =>
  /[/\\]|\.(?:ya?ml|json)$/i.test(nameOrFile) ? { name: nameOrFile, file: nameOrFile } : { name: nameOrFile };

/** @throws ProblemError `template.not-found`, and as `readTemplate` */
export async function findTemplate({ name, file }: Omit<TemplateChoice, 'params'>, host: Host): Promise<Template> {
  if (file !== undefined) return await readTemplate(file, host);
  const ready = readyTemplate(name);
  if (ready) return ready;
  throw new ProblemError('template.not-found', `no template that comes with sbox is called ${name}`, {
    fix: `One of ${readyTemplates.map((one) => one.name).join(', ')}, or a file: ./${name}.yaml   ·   of the manager: sboxmgr template show ${name} --remote`,
  });
}

/** @throws ProblemError `template.*` */
export async function fillChoice(choice: TemplateChoice, texts: readonly string[], host: Host): Promise<Json> {
  const template = await findTemplate(choice, host);
  return fillTemplate(template, { ...choice.params, ...paramsOf(template, texts) });
}

export const patched = (skeleton: Json, patch: Recipe['patch']): Json =>
  patch.length === 0 ? skeleton : patchDocument(skeleton, patch);

/** As much of a parameter as reading what was typed needs. */
interface Kind {
  readonly type: string;
  readonly items?: Kind;
}

/**
 * Values that were typed as `name=value`, in the type that the template wants. Lists have commas between, or are JSON.
 * @throws ProblemError `command.usage`
 */
export function paramsOf(
  { params }: { readonly params: Readonly<Record<string, Kind>> },
  texts: readonly string[],
): Record<string, unknown> {
  const pairs = texts.map((text): [string, unknown] => {
    const at = text.indexOf('=');
    if (at < 1) throw new ProblemError('command.usage', `--set ${text} is not name=value`, { fix: '--set port=1080' });
    const name = text.slice(0, at);
    return [name, typed(params[name], text.slice(at + 1))];
  });
  return Object.fromEntries(pairs);
}

/** What cannot be read stays a text: reading the parameters says what is wrong with it. */
function typed(spec: Kind | undefined, text: string): unknown {
  if (spec?.type === 'int' || spec?.type === 'port') return /^-?\d+$/.test(text) ? Number(text) : text;
  if (spec?.type === 'bool') return text === 'true' || (text === 'false' ? false : text);
  if (spec?.type !== 'list' && spec?.type !== 'object') return text;
  if (/^\s*[[{]/.test(text)) return json(text);
  if (spec.type === 'object') return text;
  return text === '' ? [] : text.split(',').map((item) => typed(spec.items, item.trim()));
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
