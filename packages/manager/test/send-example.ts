import type { Route } from '@sbox/protocol';
import type { createTransport } from './open-manager.ts';

/** Sends a route's example with its `{placeholders}` filled in. */
export async function sendExample(
  send: ReturnType<typeof createTransport>,
  { method, path, example, rawBody, streamBody }: Route,
  names: Record<string, string>,
) {
  const fill = (text: string): string => text.replace(/\{([\w-]+)\}/g, (whole, name: string) => names[name] ?? whole);
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(fill(example.params?.[name] ?? '')),
  );
  const query = new URLSearchParams(
    Object.entries(example.query ?? {}).map(([key, value]): [string, string] => [key, String(value)]),
  );
  const { body } = example;
  const text = body === undefined || streamBody ? undefined : fill(JSON.stringify(body));
  return await send({
    method: method.toUpperCase(),
    path: query.size > 0 ? `${filled}?${query.toString()}` : filled,
    headers: { ...example.headers, ...(text === undefined ? {} : { 'content-type': rawBody ?? 'application/json' }) },
    body: streamBody ? (body as Buffer) : text === undefined ? undefined : Buffer.from(text),
    signal: undefined,
  });
}
