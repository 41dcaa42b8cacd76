import { ProblemError } from '@sbox/core';
import { operatorDocs, type OperatorName } from '@sbox/protocol/pipeline';
import { arg, type Call } from '../command.ts';

const names = Object.keys(operatorDocs) as OperatorName[];

export const list = async ({ out }: Call): Promise<void> => {
  const rows = names.map((name) => ({ name, summary: operatorDocs[name].summary }));
  await out.rows(rows, [
    { title: 'NAME', value: ({ name }) => name },
    { title: 'WHAT', value: ({ summary }) => summary },
  ]);
};

export const show = async (call: Call): Promise<void> => {
  const name = names.find((known) => known === arg(call, 0));
  if (name === undefined)
    throw new ProblemError('command.usage', `there is no operator ${arg(call, 0)}`, {
      fix: `One of ${names.join(', ')}`,
    });
  const doc = operatorDocs[name];
  const { stringify } = await import('../yaml-text.ts');
  await call.out.thing(
    { name, ...doc },
    () =>
      `${name}: ${doc.summary}\n${doc.text}\n\nIn a recipe:\n\n${stringify({ pipeline: doc.examples }, { lineWidth: 0 })}\nAll fields: docs/operators/${name}.md`,
  );
};
