import { ProblemError } from '@sbox/core';
import { diffConfigs, type Json } from '@sbox/engines/sing-box/render';
import { parseJsonc, type Node } from '@sbox/formats';
import { arg, flag, text, type Call } from '../command.ts';
import { changesLines } from '../changes-text.ts';
import { isRecord } from '../local/document-file.ts';
import { parseSource } from '../local/parse-source.ts';
import { readSource, type Source } from '../read-source.ts';

const differs = 20;

/** Compares two configurations by what they mean, or two subscriptions by their nodes. */
export const diff = async (call: Call): Promise<number> => {
  const read = async (index: number): Promise<Source> =>
    await readSource(arg(call, index), call.host, { userAgent: text(call, 'userAgent') });
  const [before, after] = [await read(0), await read(1)];
  const [old, now] = [configOf(before), configOf(after)];
  if ((old === undefined) !== (now === undefined))
    throw new ProblemError(
      'command.usage',
      `${(old ? after : before).label} is no configuration, and the other one is`,
      {
        fix: 'Two configurations, or two subscriptions; --nodes compares the nodes in any two.',
      },
    );
  const isChanged =
    old && now && !flag(call, 'nodes')
      ? await diffDocuments(old, now, call)
      : await diffNodes(parseSource(before).nodes, parseSource(after).nodes, call);
  return flag(call, 'exitCode') && isChanged ? differs : 0;
};

const configParts = ['inbounds', 'route', 'dns', 'log', 'experimental'];

/** A document of sing-box with more than outbounds is a configuration; with nothing else it is a list of nodes. */
function configOf({ bytes }: Source): Json | undefined {
  const content = new TextDecoder().decode(bytes).replace(/^\uFEFF/, '');
  const value = /^\s*[{/]/.test(content) ? parseJsonc(content)?.value : undefined;
  return isRecord(value) && configParts.some((part) => part in value) ? value : undefined;
}

async function diffDocuments(before: Json, after: Json, call: Call): Promise<boolean> {
  const { flatDiff } = await import('../local/flat-text.ts');
  const isChanged = flatDiff(before, after, true).length > 0;
  if (flag(call, 'text')) {
    const lines = flatDiff(before, after, flag(call, 'reveal'));
    const none = isChanged ? 'only hidden values differ: --reveal shows them' : 'no difference';
    await call.out.thing({ lines }, () => lines.join('\n') || none);
    return isChanged;
  }
  const changes = diffConfigs(before, after);
  await call.out.thing(changes, () => changesLines(changes, call.out.text).join('\n'));
  return isChanged;
}

async function diffNodes(before: readonly Node[], after: readonly Node[], call: Call): Promise<boolean> {
  const [old, now] = [byId(before), byId(after)];
  const named = ({ id, tag, type }: Node): { id: string; tag: string; type: string } => ({ id, tag, type });
  const found = {
    added: [...now.values()].filter(({ id }) => !old.has(id)).map(named),
    removed: [...old.values()].filter(({ id }) => !now.has(id)).map(named),
    renamed: [...now.values()].flatMap(({ id, tag }) => {
      const was = old.get(id);
      return was === undefined || was.tag === tag ? [] : [{ id, from: was.tag, to: tag }];
    }),
    unchanged: [...now.values()].filter(({ id, tag }) => old.get(id)?.tag === tag).length,
  };
  await call.out.thing(found, () =>
    [
      ...found.added.map(({ tag, type }) => `+ ${tag} (${type})`),
      ...found.removed.map(({ tag, type }) => `- ${tag} (${type})`),
      ...found.renamed.map(({ from, to }) => `~ ${from} is now ${to}`),
      `${found.unchanged} unchanged`,
    ].join('\n'),
  );
  return found.added.length + found.removed.length + found.renamed.length > 0;
}

const byId = (nodes: readonly Node[]): Map<string, Node> => new Map(nodes.map((node) => [node.id, node]));
