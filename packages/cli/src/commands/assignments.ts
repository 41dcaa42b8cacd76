import { ProblemError } from '@sbox/core';
import { arg, text, type Call } from '../command.ts';
import type { OperatorClient } from '../connection.ts';
import { counted } from '../counted.ts';
import { printLabels } from './labels.ts';
import { everyPage, withClient } from './remote.ts';

type Assignment = Awaited<ReturnType<OperatorClient['assignments']['get']>>;

const means = ({ selector, environment }: Assignment): string =>
  [selector === '' ? 'every server' : selector, ...(environment === null ? [] : [`in ${environment}`])].join(' ');
const gives = ({ config, version }: Assignment): string => (version === null ? config : `${config}@${version}`);

export const list = withClient(async (client, { out }) => {
  const items = await everyPage((query) => client.assignments.list({ query }));
  if (items.length === 0)
    out.talk('No assignments yet: sboxmgr assignment create NAME --selector role=edge --config NAME');
  await out.rows(items, [
    { title: 'ASSIGNMENT', value: ({ name }) => name },
    { title: 'MEANS', value: means },
    { title: 'UNIT', value: ({ unit }) => unit },
    { title: 'CONFIG', value: gives },
    { title: 'SERVERS', value: ({ servers }) => servers },
  ]);
});

export const show = withClient(async (client, call) => {
  const found = await client.assignments.get({ params: { id: arg(call, 0) } });
  await call.out.thing(found, () => print(found));
});

export const create = withClient(async (client, call) => {
  const [selector, config, environment, unit] = ['selector', 'config', 'environment', 'unit'].map((name) =>
    text(call, name),
  );
  if (selector === undefined || config === undefined)
    throw new ProblemError('command.usage', 'it is not said which servers are to run what', {
      fix: 'Say it: --selector role=edge --config NAME',
    });
  const made = await client.assignments.create({
    body: {
      name: arg(call, 0),
      selector,
      config,
      ...(environment === undefined ? {} : { environment }),
      ...(unit === undefined ? {} : { unit }),
    },
  });
  await call.out.thing(made, () => print(made));
  if (made.version === null) call.out.talk(`nothing is sent yet: sboxmgr config deploy ${made.config}`);
});

export const edit = withClient(async (client, call) => {
  const known = await client.assignments.get({ params: { id: arg(call, 0) } });
  const made = await client.assignments.update({
    params: { id: known.id },
    headers: { 'if-match': `"${known.revision}"` },
    body: changes(call),
  });
  await call.out.thing(made, () => print(made));
});

function changes(call: Call) {
  const [name, selector, config] = [text(call, 'rename'), text(call, 'selector'), text(call, 'config')];
  const { environment } = call.options;
  return {
    ...(name === undefined ? {} : { name }),
    ...(selector === undefined ? {} : { selector }),
    ...(config === undefined ? {} : { config }),
    ...(environment === false ? { environment: null } : {}),
    ...(typeof environment === 'string' ? { environment } : {}),
  };
}

export const remove = withClient(async (client, call) => {
  const { id, name, revision } = await client.assignments.get({ params: { id: arg(call, 0) } });
  await client.assignments.remove({ params: { id }, headers: { 'if-match': `"${revision}"` } });
  call.out.talk(`${name} was deleted; servers keep what they run`);
});

export const servers = withClient(async (client, call) => {
  const id = arg(call, 0);
  const items = await everyPage((query) => client.assignments.servers({ params: { id }, query }));
  if (items.length === 0) call.out.talk('No server is meant now; the first one that is gets what was deployed.');
  await call.out.rows(items, [
    { title: 'SERVER', value: ({ name }) => name },
    { title: 'MEANT', value: ({ meant }) => (meant ? 'yes' : 'no') },
    { title: 'SENT', value: ({ sent }) => sent && `${sent.config}@${sent.version}` },
    { title: 'STATE', value: ({ state }) => state },
    { title: 'ENVIRONMENT', value: ({ environment }) => environment },
    { title: 'LABELS', value: ({ labels }) => printLabels(labels) },
  ]);
});

const print = (assignment: Assignment): string =>
  [
    `${assignment.name}: ${means(assignment)}`,
    `runs     ${gives(assignment)} as ${assignment.unit}${assignment.version === null ? ', not deployed yet' : ''}`,
    `servers  ${counted(assignment.servers, 'server')}`,
  ].join('\n');
