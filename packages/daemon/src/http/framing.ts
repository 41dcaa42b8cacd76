import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { ProblemError, type ProblemCode } from '@sbox/core';
import { problemAnswer, refuseConnection } from './problem-answer.ts';

/** Of all that Node reads. TRACE would show a caller's headers to scripts, CONNECT would make a proxy of us. */
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** What is wrong with a request before its address matters. */
export function framingProblem({
  method = '',
  rawHeaders,
}: Pick<IncomingMessage, 'method' | 'rawHeaders'>): ProblemError | undefined {
  if (!methods.has(method)) {
    const allow = [...methods].join(', ');
    return new ProblemError('route.method-not-allowed', `${method} is taken nowhere`, { details: { allow } });
  }
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  // Two of them, and a proxy and we may disagree about which counts.
  return hosts === 1 ? undefined : new ProblemError('request.not-http', `it has ${hosts} Host headers instead of one`);
}

/** What Node's parser refuses, in our words; everything else is `request.not-http`. */
const parserProblems: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'request.headers-too-large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'request.too-large',
  HPE_INVALID_METHOD: 'request.unknown-method',
  ERR_HTTP_REQUEST_TIMEOUT: 'request.timeout',
};

/** Answers what Node refuses before there is a request, with the same problems as everything else. */
export function refuseBadFraming(server: Server, isAnswering: (socket: Duplex) => boolean): void {
  server.on('connect', (request, socket) => refuseConnection(socket, framingProblem(request)));
  server.on('clientError', ({ code = '', message }: NodeJS.ErrnoException, socket) => {
    // What is no HTTP error is the end of the connection, or of its TLS: nobody could read an answer.
    const isReadable = code.startsWith('HPE_') || code === 'ERR_HTTP_REQUEST_TIMEOUT';
    // Half an answer is on its way already: more bytes would be read as a part of it.
    if (!isReadable || !socket.writable || isAnswering(socket)) socket.destroy();
    else refuseConnection(socket, new ProblemError(parserProblems[code] ?? 'request.not-http', message));
  });
}

/** Answers a request that does not get further, and ends its connection. */
export function refuseRequest(response: ServerResponse, problem: ProblemError): void {
  const { status, headers, body } = problemAnswer(problem);
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body), connection: 'close' }).end(body);
}
