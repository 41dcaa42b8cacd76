import path from 'node:path';
import { isProblemCode, ProblemError, problemRow, problemTable } from '@sbox/core';
import {
  createDestinationExplainer,
  explainText,
  traceNode,
  type DestinationExplanation,
  type NodeExplanation,
  type Question,
} from '@sbox/pipeline';
import { arg, text, texts, type Call } from '../command.ts';
import { readConfigFile } from '../local/config-file.ts';
import { findAnyTarget } from '../local/engine-target.ts';
import { prepare, type Prepared } from '../local/prepare.ts';
import { recipeOf } from '../local/recipe-options.ts';
import { withClient } from './remote.ts';
import { readVersion } from './version-name.ts';

export const explain = async (call: Call): Promise<void> => {
  const code = arg(call, 0);
  if (!isProblemCode(code)) {
    const near = Object.keys(problemTable).filter((known) => known.startsWith(`${code.split('.')[0] ?? ''}.`));
    throw new ProblemError('command.usage', `${code} is no problem code`, {
      fix: near.length > 0 ? `one of ${near.join(', ')}` : 'docs/reference/errors.md lists them all',
    });
  }
  const { title, fix, status, exit } = problemRow(code);
  const { out } = call;
  await out.thing(
    { code, title, fix, status, exit },
    () =>
      `${code}: ${out.text(title)}\n${out.text('fix:')} ${out.text(fix)}\n${out.text(`HTTP status ${status}, exit code ${exit}`)}`,
  );
};

/** Where a node comes from, what was done to it, and where it is now. */
export const explainNode = async (call: Call): Promise<void> => {
  const wanted = arg(call, 0);
  const [{ target }, prepared] = await Promise.all([
    findAnyTarget(call),
    prepare(await recipeOf(call), call, { withTrace: true, withLines: true }),
  ]);
  const { sources, pipeline, addresses } = prepared;
  const found = traceNode(sources, pipeline, { addresses }, wanted);
  if (!found)
    throw new ProblemError('node.not-found', `no source has a node with the id or the name ${wanted}`, {
      fix: 'See them: sboxmgr inspect FILE',
    });
  const left_out = found.verdict === 'dropped' ? [] : leftOut(prepared, found, target);
  // What the engine cannot run is in no group of it.
  const node = left_out.length === 0 ? found : { ...found, groups: [] };
  await call.out.thing({ ...node, left_out }, () =>
    [...explainText({ node }), ...left_out.map(({ reason }) => `left out   ${reason}`)].join('\n'),
  );
};

/** Whether the engine can run the node; nothing where there is nothing that could be rendered. */
function leftOut(prepared: Prepared, { node_id }: NodeExplanation, target: Parameters<Prepared['render']>[0]) {
  try {
    return prepared.render(target).left_out.filter((one) => one.node_id === node_id);
  } catch (error) {
    const details = error instanceof ProblemError ? error.details?.['left_out'] : undefined;
    if (!(error instanceof ProblemError)) throw error;
    const listed = (Array.isArray(details) ? details : []) as readonly { node_id: string; reason: string }[];
    return listed.filter((one) => one.node_id === node_id);
  }
}

/** The facts about a connection that options give. */
function questionOf(call: Call, destination: string): Question {
  const network = text(call, 'network') ?? 'tcp';
  if (network !== 'tcp' && network !== 'udp') throw new ProblemError('command.usage', '--network is tcp or udp');
  const addresses = texts(call, 'address');
  return {
    destination,
    network,
    source: text(call, 'source'),
    inbound: text(call, 'inbound'),
    protocol: text(call, 'protocol'),
    mode: text(call, 'mode'),
    ...(addresses.length === 0 ? {} : { addresses }),
  };
}

/** Where a connection goes in a config that a recipe makes, or in a file of the engine. */
export const explainDest = async (call: Call): Promise<void> => {
  const question = questionOf(call, arg(call, 0));
  const file = text(call, 'file');
  const route = file === undefined ? await routeOfRecipe(call, question) : await routeOfFile(call, file, question);
  await call.out.thing(route, () => explainText({ route }).join('\n'));
};

async function routeOfRecipe(call: Call, question: Question): Promise<DestinationExplanation> {
  const [{ target }, prepared] = await Promise.all([findAnyTarget(call), prepare(await recipeOf(call), call)]);
  const { config } = prepared.render(target);
  return createDestinationExplainer(config, { ruleSets: prepared.ruleSets, version: target.version })(question);
}

async function routeOfFile(call: Call, name: string, question: Question): Promise<DestinationExplanation> {
  const { file, config } = await readConfigFile(name, call.host);
  const { readLocalRuleSets } = await import('../local/rule-sets.ts');
  const version = text(call, 'engineVersion');
  return createDestinationExplainer(config, {
    ruleSets: await readLocalRuleSets(config, path.dirname(file), call),
    ...(version === undefined ? {} : { version }),
  })(question);
}

/** The same questions about a config of the manager. */
export const explainConfig = withClient(async (client, call) => {
  const [node, destination, version] = [text(call, 'node'), text(call, 'dest'), text(call, 'version')];
  if (node === undefined && destination === undefined)
    throw new ProblemError('command.usage', 'neither a destination nor a node was named', {
      fix: `sboxmgr explain config ${arg(call, 0)} --dest example.com:443`,
    });
  const { network = 'tcp', source, inbound } = questionOf(call, destination ?? 'unasked.example');
  const found = await client.configs.explain({
    params: { id: arg(call, 0) },
    body: {
      network,
      ...(node === undefined ? {} : { node }),
      ...(destination === undefined ? {} : { destination }),
      ...(source === undefined ? {} : { source }),
      ...(inbound === undefined ? {} : { inbound }),
      ...(version === undefined ? {} : { version: readVersion(version) }),
    },
  });
  if (found.version !== null) call.out.talk(`${arg(call, 0)}, version ${found.version}`);
  await call.out.thing(found, () => {
    const left = found.node?.left_out.map(({ profile, reason }) => `left out   ${profile}: ${reason}`) ?? [];
    return [...explainText(readAnswer(found)), ...left].join('\n');
  });
});

/** The manager answers the same in looser types, without the rule itself. */
const readAnswer = ({ node, route }: { readonly node: object | null; readonly route: object | null }) => ({
  ...(node === null ? {} : { node: { is_partial: false, ...node } as NodeExplanation }),
  ...(route === null ? {} : { route: { rule: null, ...route } as DestinationExplanation }),
});
