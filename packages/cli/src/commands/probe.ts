import { randomBytes } from 'node:crypto';
import { messageOf, parseDuration, ProblemError } from '@sbox/core';
import { composeSingBox, type Json, type Rendered } from '@sbox/engines/sing-box/render';
import { uniqueTags, type Node } from '@sbox/formats';
import { arg, flag, text, wholeNumber, type Call } from '../command.ts';
import { findEngine } from '../engine.ts';
import { parseSource, summarise } from '../local/parse-source.ts';
import { nodeAddress } from '../node-address.ts';
import { probeTcp, type Probed } from '../probe/tcp-probe.ts';
import { requestThroughProxy } from '../quickstart/proxied-request.ts';
import { readSource } from '../read-source.ts';

const maxNodes = 5000;
const defaultUrl = 'https://www.gstatic.com/generate_204';

interface Limits {
  readonly timeoutMs: number;
  readonly concurrency: number;
}

type Result = Pick<Probed, 'ms' | 'reason'>;

/** How fast each node answers: by opening a connection to it, or by a request through it. */
export const probe = async (call: Call): Promise<number> => {
  const { out, host } = call;
  const isHttp = flag(call, 'http');
  if (isHttp && flag(call, 'tcp')) throw new ProblemError('command.usage', 'either --tcp or --http');
  const limits = limitsOf(call, isHttp);
  const parsed = parseSource(await readSource(arg(call, 0), host, { userAgent: text(call, 'userAgent') }));
  // Of the same node the first stays, as in `generate`.
  const once = new Map(parsed.nodes.toReversed().map((node) => [node.id, node]));
  const nodes = uniqueTags([...once.values()].toReversed());
  if (nodes.length > maxNodes)
    throw new ProblemError('command.usage', `there are ${nodes.length} nodes, and ${maxNodes} at most are probed`);
  out.talk(summarise(parsed));
  const measured = isHttp ? await overHttp(nodes, call, limits) : await overTcp(nodes, call, limits);
  const rows = nodes
    .map((node): Probed => ({
      id: node.id,
      tag: node.tag,
      type: node.type,
      server: nodeAddress(node),
      ...(measured.get(node.id) ?? { ms: null, reason: 'it was not asked' }),
    }))
    .toSorted((a, b) => (a.ms ?? Infinity) - (b.ms ?? Infinity) || 0);
  await out.rows(rows, [
    { title: 'TAG', value: ({ tag }) => tag },
    { title: 'TYPE', value: ({ type }) => type },
    { title: 'SERVER', value: ({ server }) => server },
    { title: 'MS', value: ({ ms }) => ms },
    { title: 'WHY', value: ({ reason }) => reason ?? '' },
  ]);
  const answered = rows.filter(({ ms }) => ms !== null).length;
  out.talk(`${answered} of ${rows.length} nodes answered`);
  return answered === rows.length ? 0 : answered === 0 ? 6 : 9;
};

function limitsOf(call: Call, isHttp: boolean): Limits {
  const timeoutMs = parseDuration(text(call, 'timeout') ?? (isHttp ? '10s' : '5s'));
  if (timeoutMs === undefined || timeoutMs < 1 || timeoutMs > 60_000)
    throw new ProblemError('command.usage', '--timeout is a duration up to 60s', { fix: '--timeout 5s' });
  const concurrency = text(call, 'concurrency') ?? (isHttp ? '16' : '64');
  return { timeoutMs, concurrency: wholeNumber('--concurrency', concurrency, { max: 512 }) };
}

/** So many at a time. */
async function each(
  nodes: readonly Node[],
  { concurrency }: Limits,
  work: (node: Node) => Promise<Result>,
): Promise<Map<string, Result>> {
  const found = new Map<string, Result>();
  const waiting = nodes.values();
  const worker = async (): Promise<void> => {
    for (const node of waiting) found.set(node.id, await work(node));
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, nodes.length) }, worker));
  return found;
}

const overTcp = async (nodes: readonly Node[], { host }: Call, limits: Limits): Promise<Map<string, Result>> =>
  await each(nodes, limits, async (node) => await probeTcp(node, limits.timeoutMs, host));

/** Every node, and nothing that starts requests by itself. */
const skeleton: Json = {
  log: { level: 'error' },
  dns: { servers: [{ type: 'local', tag: 'local' }], final: 'local' },
  outbounds: [{ $nodes: true }, { type: 'direct', tag: 'direct' }],
  route: { final: 'direct', default_domain_resolver: 'local' },
};

/** One port for all: the user that a request names says which node it goes through. */
function withUsers({ config, nodes }: Rendered, port: number, password: string): Json {
  const users = nodes.map(({ node_id }) => ({ username: node_id, password }));
  const rules = nodes.map(({ node_id, tag }) => ({ auth_user: [node_id], action: 'route', outbound: tag }));
  return {
    ...config,
    inbounds: [{ type: 'mixed', tag: 'probe', listen: '127.0.0.1', listen_port: port, users }],
    route: { ...(config['route'] as Json), rules: [...rules, { action: 'reject' }] },
  };
}

async function overHttp(nodes: readonly Node[], call: Call, limits: Limits): Promise<Map<string, Result>> {
  const { startEngine } = await import('../probe/engine-run.ts');
  const { freePort } = await import('../quickstart/ports.ts');
  const url = text(call, 'url') ?? defaultUrl;
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new ProblemError('command.usage', '--url is an http or https address', { fix: `--url ${defaultUrl}` });
  const found = await findEngine(text(call, 'engine'), call.host);
  const rendered = composeSingBox(
    { skeleton, nodes },
    { engine: 'sing-box', version: found.version, tags: found.tags },
  );
  const able = new Set(rendered.nodes.map(({ node_id }) => node_id));
  const reasons = new Map(rendered.left_out.map(({ node_id, reason }) => [node_id, reason]));
  const [port, password] = [await freePort(0), randomBytes(16).toString('hex')];
  await using _engine = await startEngine(found, { config: withUsers(rendered, port, password), port }, call.host);
  return await each(nodes, limits, async ({ id }) => {
    if (!able.has(id)) return { ms: null, reason: reasons.get(id) ?? 'this engine cannot run it' };
    return await throughProxy({ port, url, auth: `${id}:${password}` }, limits, call);
  });
}

async function throughProxy(
  { port, url, auth }: { readonly port: number; readonly url: string; readonly auth: string },
  { timeoutMs }: Limits,
  { host }: Call,
): Promise<Result> {
  const late = AbortSignal.timeout(timeoutMs);
  try {
    const { ms, status } = await requestThroughProxy(port, url, { auth, signal: AbortSignal.any([host.signal, late]) });
    return status < 400 ? { ms: Math.max(1, ms), reason: null } : { ms: null, reason: `it answered ${status}` };
  } catch (error) {
    host.signal.throwIfAborted();
    return { ms: null, reason: late.aborted ? 'no answer in time' : reasonOf(error) };
  }
}

/** Without the address, which is the same for every node. */
const reasonOf = (error: unknown): string =>
  messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error);
