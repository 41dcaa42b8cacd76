import path from 'node:path';
import { arg, text, type Call } from '../command.ts';
import { readText } from '../read-file.ts';
import { importToml } from '../local/import-toml.ts';
import { writeWhole } from '../write-file.ts';

/** Turns a TOML profile of the older sboxctl into a recipe, and says what of it has no equal. */
export const importConfig = async (call: Call): Promise<number> => {
  const { recipe, lost } = importToml(await readText(path.resolve(call.host.cwd, arg(call, 0))));
  const { stringify } = await import('../yaml-text.ts');
  const file = text(call, 'file') ?? '-';
  const isJson = file === '-' ? call.out.format === 'json' : /\.json$/i.test(file);
  const content = isJson ? `${JSON.stringify(recipe, undefined, 2)}\n` : stringify(recipe, { lineWidth: 0 });
  if (file === '-') call.out.raw(content);
  else await writeWhole(path.resolve(call.host.cwd, file), content);
  for (const { path: at, instead } of lost) call.out.talk(`left out ${at}: ${instead}`);
  if (file !== '-') call.out.talk(`wrote ${file}. Next: sboxmgr generate --recipe ${file} -f config.json`);
  return lost.length === 0 ? 0 : 9;
};
