import { redact } from '@sbox/core';
import { nodesFileName, type NamedNode } from '@sbox/protocol';
import type { Repositories } from '../../database/store.ts';
import { omit } from '../../omit.ts';
import { showUrl } from '../rule-sets/rule-sets-service.ts';
import type { ConfigVersion } from './config-versions-repository.ts';
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

interface Shown {
  readonly document: unknown;
  readonly text: string;
  /** Node by tag; empty for versions of before this was kept. */
  readonly ids: ReadonlyMap<string, string>;
}

export const emptyDocument: Shown = { document: {}, text: '', ids: new Map() };

/** A rendition of a version; its text is printed anew so that secrets are hidden and lines compare. */
export async function shownDocument(
  { configs, blobs }: Pick<Repositories, 'configs' | 'blobs'>,
  { renditions }: ConfigVersion,
  wanted?: string,
): Promise<Shown> {
  const rendition = renditions.find(({ profile }) => profile === wanted) ?? renditions[0];
  const bytes = await configs.content(rendition?.digest ?? '');
  if (!bytes) return emptyDocument;
  const document = JSON.parse(bytes.toString('utf8')) as unknown;
  const list = rendition?.files.find(({ path }) => path === nodesFileName);
  const nodes = list && (await blobs.content(list.digest));
  const named = nodes ? (JSON.parse(nodes.toString('utf8')) as NamedNode[]) : [];
  return {
    document,
    text: `${JSON.stringify(redact(document), null, 2)}\n`,
    ids: new Map(named.map(({ tag, node_id }) => [tag, node_id])),
  };
}
