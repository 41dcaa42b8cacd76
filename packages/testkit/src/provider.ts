// The demo provider: a real sing-box as the far side of three nodes, and a subscription URL that lists them.
import { mkdir, writeFile } from 'node:fs/promises';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import path from 'node:path';
import { createSelfSigned } from './certificate.ts';
import { type ListenOptions, listen } from './listen.ts';
import {
  type ProviderAnswer,
  type ProviderMode,
  answerFor,
  isProviderMode,
  providerModes,
} from './provider-answers.ts';
import { type ProviderNode, createSecrets, providerConfig, providerHost, providerNodes } from './provider-nodes.ts';
import { type RunningSingBox, startSingBox } from './sing-box.ts';

export interface ProviderOptions {
  /** Path of the sing-box program. */
  singBox: string;
  /** Existing or new directory for certificate, engine config and log. */
  dir: string;
  listen?: ListenOptions;
  signal?: AbortSignal;
}

/** A request for the subscription, with what was answered; status 0 while hanging. */
export interface ProviderRequest {
  url: string;
  headers: IncomingMessage['headers'];
  status: number;
}

export interface Provider extends AsyncDisposable {
  /** Subscription URL; base64, or plain text with `?format=plain`. */
  readonly url: string;
  /** POST `{"mode": …}` or `{"nodes": "stop" | "start" | "rotate"}` here to do the same from another process. */
  readonly controlUrl: string;
  readonly nodes: readonly ProviderNode[];
  /** The last 1000 requests for the subscription. */
  readonly requests: readonly ProviderRequest[];
  /** Changes what the subscription URL answers from now on: a mode, or exactly this. */
  setBody(mode: ProviderMode | (Partial<ProviderAnswer> & { body: string })): void;
  /** The nodes go away and their ports refuse connections; the subscription still lists them. */
  stopNodes(): Promise<void>;
  /** They come back with the same ports and secrets. */
  startNodes(): Promise<void>;
  /** New ports and new secrets: who keeps the old list is cut off. */
  rotateNodes(): Promise<void>;
}

const maxRequests = 1000;
const maxControlBytes = 64 * 1024;

/** Starts engine and subscription server on loopback; dispose ends both. */
export async function startProvider(options: ProviderOptions): Promise<Provider> {
  await using starting = new AsyncDisposableStack();
  const { singBox, dir, signal } = options;
  const files = { certificate: path.join(dir, 'certificate.pem'), key: path.join(dir, 'key.pem') };
  await mkdir(dir, { recursive: true });
  const { certificatePem, keyPem } = await createSelfSigned(providerHost);
  await Promise.all([writeFile(files.certificate, certificatePem), writeFile(files.key, keyPem, { mode: 0o600 })]);

  let secrets = createSecrets();
  const wrongSecrets = createSecrets();
  const startEngine = async (ports: number | readonly number[]): Promise<RunningSingBox> =>
    await startSingBox({
      singBox,
      dir,
      ports,
      config: (found) => providerConfig(secrets, found, files),
      ...(signal === undefined ? {} : { signal }),
    });
  let engine: RunningSingBox | undefined;
  starting.defer(async () => await engine?.[Symbol.asyncDispose]());
  engine = await startEngine(3);
  let { ports } = engine;

  const stopNodes = async (): Promise<void> => {
    await engine?.[Symbol.asyncDispose]();
    engine = undefined;
  };
  const startNodes = async (): Promise<void> => {
    engine ??= await startEngine(ports);
  };
  const rotateNodes = async (): Promise<void> => {
    await stopNodes();
    secrets = createSecrets();
    engine = await startEngine(3);
    ports = engine.ports;
  };

  let body: Parameters<Provider['setBody']>[0] = 'good';
  const setBody: Provider['setBody'] = (mode) => {
    body = mode;
  };
  const currentAnswer = (format: string): ProviderAnswer | undefined => {
    if (typeof body !== 'string') return { status: 200, headers: {}, ...body };
    const renamed = providerNodes(secrets, ports, ' (new name)');
    const inputs = {
      nodes: providerNodes(secrets, ports),
      renamed,
      wrongSecrets: providerNodes(wrongSecrets, ports),
      format,
    };
    return answerFor(body, inputs);
  };

  const requests: ProviderRequest[] = [];
  const control = { setBody, stop: stopNodes, start: startNodes, rotate: rotateNodes };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://provider.invalid');
    if (url.pathname === '/sub') {
      const answer = currentAnswer(url.searchParams.get('format') ?? 'base64');
      const status = send(request, response, answer);
      requests.push({ url: request.url ?? '', headers: request.headers, status });
      if (requests.length > maxRequests) requests.shift();
    } else if (url.pathname === '/control' && request.method === 'POST') void handleControl(request, response, control);
    else response.writeHead(404).end('try /sub\n');
  });
  const base = await listen(server, options.listen);
  starting.use(base);
  const running = starting.move();
  return {
    url: `${base.url}/sub`,
    controlUrl: `${base.url}/control`,
    requests,
    get nodes() {
      return providerNodes(secrets, ports);
    },
    setBody,
    stopNodes,
    startNodes,
    rotateNodes,
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}

function send(request: IncomingMessage, response: ServerResponse, answer: ProviderAnswer | undefined): number {
  if (answer === undefined) return 0;
  const etag = answer.headers['etag'];
  const isKnown = etag !== undefined && request.headers['if-none-match'] === etag;
  const status = isKnown ? 304 : answer.status;
  response.writeHead(status, answer.headers).end(isKnown ? undefined : answer.body);
  return status;
}

type Control = Pick<Provider, 'setBody'> & Record<'stop' | 'start' | 'rotate', () => Promise<void>>;

async function handleControl(request: IncomingMessage, response: ServerResponse, control: Control): Promise<void> {
  try {
    // A page in a browser cannot send this type across origins without asking first.
    if (request.headers['content-type'] !== 'application/json')
      throw new Error('content-type must be application/json');
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) {
      text += String(chunk);
      if (text.length > maxControlBytes) throw new Error('too long');
    }
    const { mode, nodes, body } = JSON.parse(text) as Record<string, unknown>;
    if (isProviderMode(mode)) control.setBody(mode);
    else if (typeof body === 'string') control.setBody({ body });
    else if (nodes === 'stop' || nodes === 'start' || nodes === 'rotate') await control[nodes]();
    else throw new Error(`send {"mode": one of ${providerModes.join(', ')}} or {"nodes": "stop", "start" or "rotate"}`);
    response.writeHead(204).end();
  } catch (error) {
    response.writeHead(400, { 'content-type': 'text/plain' }).end(`${(error as Error).message}\n`);
  }
}
