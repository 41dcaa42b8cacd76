import { mergeMetadata, readMetadataHeaders, type Metadata } from '@sbox/formats';

/** What a provider says about the plan, in bytes. */
export interface Usage {
  readonly upload: number | null;
  readonly download: number | null;
  readonly total: number | null;
  readonly expire_at: string | null;
}

/** Title, update interval, links and announcement, where the provider gives them. */
export type About = Omit<Metadata, 'usage' | 'notices'>;

interface Facts {
  readonly usage: Usage | null;
  readonly about: About;
}

/**
 * The provider's facts as they are stored with a subscription: those of the headers, then those of the body. Undefined
 * when there are none, so that the ones before stay.
 */
export function providerFacts(headers: Readonly<Record<string, string>>, body?: Metadata): string | undefined {
  const metadata = mergeMetadata(readMetadataHeaders(Object.entries(headers)), body ?? {});
  const { usage, notices: _, ...about } = metadata;
  if (usage === undefined && Object.keys(about).length === 0) return undefined;
  const { upload = null, download = null, total = null, expire } = usage ?? {};
  const expire_at = expire === undefined ? null : new Date(expire * 1_000).toISOString();
  return JSON.stringify({
    usage: usage === undefined ? null : { upload, download, total, expire_at },
    about,
  } satisfies Facts);
}

/** Facts out of the database; the usage alone is what rows of earlier versions hold. */
export function readFacts(stored: string | null): Facts {
  if (stored === null) return { usage: null, about: {} };
  const facts = JSON.parse(stored) as Facts | Usage;
  return 'about' in facts ? facts : { usage: facts, about: {} };
}
