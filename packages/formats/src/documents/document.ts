import type { Collector } from '../collector.ts';
import type { Limits } from '../limits.ts';

/** What a subscription is on the outside. */
export const documentFormats = [
  'links',
  'base64',
  'clash',
  'sing-box',
  'xray',
  'sip008',
  'ssd',
  'surge',
  'loon',
  'quantumult-x',
  'wg-quick',
] as const;

export type DocumentFormat = (typeof documentFormats)[number];

/** Puts a document's nodes and rejected items into the collector. @throws ProblemError `subscription.*` */
export type ReadDocument = (text: string, collector: Collector, limits: Limits) => void;
