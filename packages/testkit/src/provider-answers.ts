import { createHash } from 'node:crypto';
import { type ProviderNode, brokenLines } from './provider-nodes.ts';

/** What the subscription URL answers. */
export interface ProviderAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** `format` is base64 or plain; `renamed` and `wrongSecrets` are the same nodes with other names or credentials. */
interface AnswerInputs {
  nodes: readonly ProviderNode[];
  renamed: readonly ProviderNode[];
  wrongSecrets: readonly ProviderNode[];
  format: string;
}

const text = { 'content-type': 'text/plain; charset=utf-8' };

function list(nodes: readonly ProviderNode[], format: string): ProviderAnswer {
  const [first, ...others] = nodes.map((node) => node.link);
  const plain = [first, brokenLines[0], ...others, brokenLines[1], ''].join('\n');
  const body = format === 'plain' ? plain : Buffer.from(plain).toString('base64');
  const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`;
  const headers = {
    ...text,
    etag,
    'profile-title': 'sbox demo',
    'profile-update-interval': '12',
    'subscription-userinfo': 'upload=1048576; download=73400320; total=107374182400',
  };
  return { status: 200, headers, body };
}

const answers = {
  good: ({ nodes, format }: AnswerInputs) => list(nodes, format),
  fewer: ({ nodes, format }: AnswerInputs) => list(nodes.slice(0, 1), format),
  renamed: ({ renamed, format }: AnswerInputs) => list(renamed, format),
  'wrong-secrets': ({ wrongSecrets, format }: AnswerInputs) => list(wrongSecrets, format),
  html: () => ({
    status: 200,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: '<!doctype html>\n<html><head><title>Sign in</title></head><body>Please sign in</body></html>\n',
  }),
  error: () => ({ status: 500, headers: text, body: 'out of order\n' }),
  empty: () => ({ status: 200, headers: text, body: '' }),
  /** The connection stays open and nothing comes. */
  hang: () => undefined,
} satisfies Record<string, (inputs: AnswerInputs) => ProviderAnswer | undefined>;

export type ProviderMode = keyof typeof answers;

export const providerModes = Object.keys(answers) as ProviderMode[];

export function isProviderMode(mode: unknown): mode is ProviderMode {
  return typeof mode === 'string' && Object.hasOwn(answers, mode);
}

/** Nothing when the provider must hang. */
export function answerFor(mode: ProviderMode, inputs: AnswerInputs): ProviderAnswer | undefined {
  return answers[mode](inputs);
}
