import type { Collector } from '../collector.ts';
import type { Limits } from '../limits.ts';

export type DocumentFormat = 'links' | 'base64' | 'clash' | 'sing-box';

/** Puts a document's nodes and rejected items into the collector. @throws ProblemError `subscription.*` */
export type ReadDocument = (text: string, collector: Collector, limits: Limits) => void;
