import { redact, redactedMark } from '@sbox/core';
import type { Caller } from '@sbox/daemon/serve';
import { nodesFileName, type NamedNode } from '@sbox/protocol';
import type { Repositories } from '../../database/store.ts';
import { omit } from '../../omit.ts';
import { showUrl } from '../rule-sets/rule-sets-service.ts';
import { settingsMessage } from '../settings/settings-message.ts';
import type { ConfigVersion } from './config-versions-repository.ts';
import type { RenditionText } from './export-version.ts';
import { showDiffers } from './variants.ts';

export function showVersion({ inputs, renditions, ...row }: ConfigVersion) {
  return {
    ...row,
    snapshots: inputs.snapshots,
    template: inputs.template ?? null,
    rule_sets: (inputs.rule_sets ?? []).map(({ url, digest, size }) => ({ url: showUrl(url), digest, size })),
    renditions: renditions.map((rendition) => ({
      ...omit(rendition, 'once'),
      differs: showDiffers(rendition.differs, inputs),
    })),
  };
}

/**
 * A version for somebody. What tells servers apart are values of scopes that callers who are held to some servers cannot
 * read; they stand in `differs`, and their scopes in the message of a version that a change of settings made.
 */
export function showVersionTo<T extends Pick<ReturnType<typeof showVersion>, 'message' | 'renditions'>>(
  { bounds }: Pick<Caller, 'bounds'>,
  shown: T,
): T {
  if (bounds?.servers === undefined) return shown;
  const renditions = shown.renditions.map((rendition) => ({
    ...rendition,
    differs: Object.fromEntries(Object.keys(rendition.differs).map((key) => [key, redactedMark])),
  }));
  return { ...shown, renditions, message: settingsMessage.test(shown.message) ? 'settings changed' : shown.message };
}

interface Shown {
  readonly document: unknown;
  readonly text: string;
  /** Node by tag; empty for versions of before this was kept. */
  readonly ids: ReadonlyMap<string, string>;
}

export const emptyDocument: Shown = { document: {}, text: '', ids: new Map() };

/** What nobody in particular gets of a version. */
export async function shownDocument(
  store: Pick<Repositories, 'configs' | 'blobs'>,
  { renditions }: ConfigVersion,
  wanted?: string,
): Promise<Shown> {
  const rendition = renditions.find(({ profile }) => profile === wanted) ?? renditions[0];
  const bytes = rendition && (await store.configs.content(rendition.digest));
  if (!bytes) return emptyDocument;
  return await shownText(store, { rendition, text: bytes.toString('utf8'), contents: new Map() });
}

/** The text of a rendition is printed anew so that secrets are hidden and lines compare. */
export async function shownText(
  { blobs }: Pick<Repositories, 'blobs'>,
  { rendition, text, contents }: RenditionText,
): Promise<Shown> {
  const document = JSON.parse(text) as unknown;
  const list = rendition.files.find(({ path }) => path === nodesFileName);
  const nodes = list && (contents.get(list.digest) ?? (await blobs.content(list.digest)));
  const named = nodes ? (JSON.parse(Buffer.from(nodes).toString('utf8')) as NamedNode[]) : [];
  return {
    document,
    text: `${JSON.stringify(redact(document), null, 2)}\n`,
    ids: new Map(named.map(({ tag, node_id }) => [tag, node_id])),
  };
}
