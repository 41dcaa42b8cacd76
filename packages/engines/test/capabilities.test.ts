import { writeSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { capabilities, writeNodes } from '../src/sing-box/render.ts';
import { capabilitySamples, type Sample } from './capability-samples.ts';
import { createWorkplace, engines, saidOfEngines, started } from './real-engine.ts';
import { oneNode } from './sample-nodes.ts';

const place = createWorkplace();
beforeAll(() => {
  writeSync(process.stderr.fd, saidOfEngines());
});
afterAll(() => place.remove());

const rowsWithSamples = capabilities().map(({ kind, name }) => ({ kind, name, sample: capabilitySamples[kind][name] }));

/** The sample in the engine's words, without asking what we would render; `mark` keeps the tags of several apart. */
function rawOf({ node, raw }: Sample, mark: string) {
  const marked = (list: readonly object[] = []): object[] =>
    list.map((part) => {
      const { tag = '', detour, ...rest } = part as { tag?: string; detour?: string };
      return { ...rest, tag: `${mark} ${tag}`, ...(detour === undefined ? {} : { detour: `${mark} ${detour}` }) };
    });
  return raw === undefined
    ? { outbounds: marked([node]), endpoints: [] }
    : { outbounds: marked(raw.outbounds), endpoints: marked(raw.endpoints) };
}

test('each row has a sample', () => {
  expect(rowsWithSamples.filter(({ sample }) => sample === undefined)).toEqual([]);
});

describe.each(engines)('$name', (engine) => {
  const rows = capabilities(engine.target).map((row) => ({ ...row, sample: capabilitySamples[row.kind][row.name]! }));
  const available = rows.filter((row) => row.available);
  const lacking = rows.filter((row) => !row.available);

  test('starts with everything that the table says it has', async () => {
    const parts = available.map(({ kind, name, sample }) => ({ name, ...rawOf(sample, `${kind} ${name}`) }));
    const document = JSON.stringify({
      outbounds: parts.flatMap(({ outbounds }) => outbounds),
      endpoints: parts.flatMap(({ endpoints }) => endpoints),
    });
    const complaint = place.check(engine, document);
    // Only a failure asks for each, so that the culprit has a name.
    const culprits = parts.filter(
      ({ outbounds, endpoints }) =>
        complaint !== undefined && place.check(engine, JSON.stringify({ outbounds, endpoints })) !== undefined,
    );
    expect(culprits.map(({ name }) => name)).toEqual([]);
    expect(complaint).toBeUndefined();
    await place.run(engine, document, (said) => {
      expect(said).toContain(started);
      expect(said).not.toMatch(/WARN|deprecated/);
    });
  });

  test.each(lacking)('has no $kind $name', async ({ sample }) => {
    const document = JSON.stringify(rawOf(sample, ''));
    if (place.check(engine, document) !== undefined) return;
    await place.run(engine, document, (said) => expect(said).not.toContain(started));
  });

  test('writes and leaves out nodes as the table says', () => {
    const nodes = rows.map(({ kind, name, sample }, index) =>
      oneNode({ id: `n_${index}x`, tag: `${kind} ${name}`, tls: undefined, password: undefined, ...sample.node }),
    );
    const { parts, left_out } = writeNodes([...nodes, oneNode({ id: 'n_other', tag: 'other' })], engine.target);
    const reasonOf = new Map(left_out.map(({ tag, reason }) => [tag, reason]));
    for (const { kind, name, available: isAvailable, optional, reason } of rows) {
      const isWritten = !reasonOf.has(`${kind} ${name}`);
      // What only tunes may belong to a protocol that is lacking itself.
      if (!optional) expect([name, reasonOf.get(`${kind} ${name}`)]).toEqual([name, reason]);
      if (isAvailable) expect([name, isWritten]).toEqual([name, true]);
    }
    const [outbounds, endpoints] = [parts.flatMap((part) => part.outbounds), parts.flatMap((part) => part.endpoints)];
    expect(place.check(engine, JSON.stringify({ outbounds, endpoints }))).toBeUndefined();
  });
});
