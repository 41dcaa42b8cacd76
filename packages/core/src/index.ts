/**
 * Values and rules of sbox with no I/O. The words of the design, section 1:
 * subscription, node, config, config version, rendition, overlay, trial, server, unit, engine, deployment, manifest
 * (epoch and generation), bundle, problem. docs/concepts.md explains them to users.
 */
export * from './base62.ts';
export * from './clock.ts';
export * from './crc32.ts';
export * from './digest.ts';
export * from './duration.ts';
export * from './envelope.ts';
export * from './events.ts';
export * from './fake-clock.ts';
export * from './generation.ts';
export * from './ids.ts';
export * from './problem.ts';
export * from './problem-print.ts';
export { problemTable, type ProblemCode, type ProblemRow } from './problem-table.ts';
export * from './redact.ts';
export * from './table-text.ts';
export * from './token.ts';
export * from './within.ts';
