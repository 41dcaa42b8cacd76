import { rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, printDuration, ProblemError } from '@sbox/core';
import { checkReferences, renderSingBox, type EngineTarget, type RenderSettings } from '@sbox/engines/sing-box/render';
import type { FoundEngine } from '@sbox/engines/sing-box/run';
import { uniqueTags, type Node } from '@sbox/formats';
import { text, texts, type Call, type Host } from '../command.ts';
import { checkText, findEngine } from '../engine.ts';
import { readSource } from '../read-source.ts';
import { parseSource, summarise } from './inspect.ts';

const defaultPort = 2080;

/** Nodes of several sources, in order; the same node twice is kept once, tags are made unique. */
async function collectNodes(call: Call, sources: readonly string[]): Promise<Node[]> {
  const nodes: Node[] = [];
  for (const from of sources) {
    const startedMs = call.host.clock.monotonic();
    const source = await readSource(from, call.host, text(call, 'userAgent'));
    const parsed = parseSource(source);
    const took = printDuration(call.host.clock.monotonic() - startedMs);
    call.out.talk(`read ${source.label}: ${summarise(parsed)}, ${source.bytes.length} bytes in ${took}`);
    nodes.push(...parsed.nodes);
  }
  const once = new Map(nodes.map((node) => [node.id, node]));
  return [...uniqueTags([...once.values()])];
}

async function targetOf(call: Call): Promise<{ target: EngineTarget; engine: FoundEngine | undefined }> {
  const version = text(call, 'engineVersion');
  if (version !== undefined)
    return { target: { engine: 'sing-box', version, tags: text(call, 'tags')?.split(',') ?? [] }, engine: undefined };
  const engine = await findEngine(text(call, 'engine'), call.host);
  return { target: { engine: 'sing-box', version: engine.version, tags: engine.tags }, engine };
}

function settingsOf(call: Call): RenderSettings {
  const port = Number(text(call, 'port') ?? defaultPort);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new ProblemError('command.usage', '--port is a number from 1 to 65535');
  const url = text(call, 'urltestUrl');
  return {
    inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: port }],
    ...(url === undefined ? {} : { urltest: { url } }),
  };
}

export const generate = async (call: Call): Promise<void> => {
  const sources = texts(call, 'from');
  if (sources.length === 0)
    throw new ProblemError('command.usage', 'no subscription was named', { fix: 'sboxmgr generate --from FILE|URL|-' });
  const to = text(call, 'to') ?? 'sing-box';
  if (to !== 'sing-box') throw new ProblemError('engine.unsupported', `--to ${to}`);
  const { target, engine } = await targetOf(call);
  const rendered = renderSingBox(await collectNodes(call, sources), target, settingsOf(call));
  for (const { tag, reason } of rendered.left_out) call.out.talk(`left out ${tag}: ${reason}`);
  const [finding] = checkReferences(rendered.config);
  if (finding)
    throw new ProblemError('config.invalid', `${finding.path}: ${finding.message}`, {
      details: { findings: checkReferences(rendered.config) },
    });
  const checked = engine && call.options['check'] !== false ? await requireCheck(engine, rendered.text) : 'not checked';
  await deliver(rendered.text, text(call, 'file') ?? '-', call.host, call.out.raw);
  call.out.talk(`${rendered.text.length} bytes for sing-box ${target.version} · ${checked}`);
};

/** `sing-box check ok`. @throws ProblemError `engine.check-failed` with the words of the engine */
export async function requireCheck(engine: FoundEngine, content: string): Promise<string> {
  const complaint = await checkText(engine, content);
  if (!complaint) return 'sing-box check ok';
  const where = complaint.path === undefined ? '' : `${complaint.path}: `;
  throw new ProblemError('engine.check-failed', `${where}${complaint.message}`);
}

async function deliver(content: string, file: string, host: Host, raw: (text: string) => void): Promise<void> {
  if (file === '-') {
    raw(content);
    return;
  }
  const target = path.resolve(host.cwd, file);
  try {
    await writeFile(`${target}.tmp`, content, { mode: 0o600 });
    await rename(`${target}.tmp`, target);
  } catch (error) {
    await rm(`${target}.tmp`, { force: true });
    throw new ProblemError('command.failed', `${target} cannot be written: ${messageOf(error)}`, {
      cause: error,
      fix: 'Name a file in a directory that is there and may be written: --file FILE',
    });
  }
}
