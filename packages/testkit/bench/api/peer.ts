// Servers to compare with, each in a process of its own: they check the token and say the bytes that sbox said.
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type OutgoingHttpHeaders } from 'node:http';
import { fastify } from 'fastify';

/** What a peer answers, by path and query. */
export type PeerAnswers = Readonly<Record<string, { readonly body: string; readonly headers: OutgoingHttpHeaders }>>;

interface PeerFile {
  readonly token: string;
  readonly answers: PeerAnswers;
}

const [kind = '', file = ''] = process.argv.slice(2);
const { token, answers } = JSON.parse(readFileSync(file, 'utf8')) as PeerFile;
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
const known = digest(`Bearer ${token}`);
const isKnown = (authorization: string | undefined): boolean => timingSafeEqual(digest(authorization ?? ''), known);

function startBare(): void {
  createServer((request, response) => {
    const answer = answers[request.url ?? ''];
    if (!isKnown(request.headers.authorization)) response.writeHead(401).end();
    else if (!answer) response.writeHead(404).end();
    else response.writeHead(200, answer.headers).end(answer.body);
  }).listen(0, '127.0.0.1', function (this: { address(): unknown }) {
    console.log(`port ${(this.address() as { port: number }).port}`);
  });
}

async function startFastify(): Promise<void> {
  const app = fastify();
  app.addHook('onRequest', async (request, reply) => {
    if (!isKnown(request.headers.authorization)) await reply.code(401).send();
  });
  for (const path of new Set(Object.keys(answers).map((target) => target.split('?')[0] ?? '')))
    app.get(path, async (request, reply) => {
      const answer = answers[request.url];
      // The body is text already; the framework gets what it is made for.
      return await reply.type('application/json').send(JSON.parse(answer?.body ?? 'null'));
    });
  await app.listen({ port: 0, host: '127.0.0.1' });
  console.log(`port ${(app.server.address() as { port: number }).port}`);
}

if (kind === 'fastify') await startFastify();
else startBare();
