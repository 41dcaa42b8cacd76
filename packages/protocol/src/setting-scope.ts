import { ProblemError } from '@sbox/core';
import * as z from 'zod/mini';
import { parseSelector, printSelector, type Selector } from './selector.ts';

/** Where values of settings stand, in the order in which they win. */
export const scopeKinds = ['global', 'environment', 'service', 'labels', 'server', 'user'] as const;
export type ScopeKind = (typeof scopeKinds)[number];

/** A scope as it is used: `environment:prod` is the values for servers of that environment. */
export type SettingScope =
  | { readonly kind: 'global' }
  | { readonly kind: 'labels'; readonly selector: Selector }
  | { readonly kind: Exclude<ScopeKind, 'global' | 'labels'>; readonly name: string };

const named = /^(environment|service|server|user):([a-zA-Z0-9][a-zA-Z0-9._-]{0,63})$/;
const example = 'global, environment:prod, service:sing-box, labels:role=edge, server:nl-1 or user:phone';

/**
 * Reads `global`, `environment:NAME`, `service:KIND`, `labels:SELECTOR`, `server:NAME` and `user:NAME`.
 * @throws ProblemError `request.invalid`
 */
export function parseScope(text: string): SettingScope {
  if (text === 'global') return { kind: 'global' };
  const [, kind, name] = named.exec(text) ?? [];
  if (kind !== undefined && name !== undefined) return { kind: kind as 'server', name };
  // In one way of writing it: a condition that is there twice counts once where more of them win.
  const selector = text.startsWith('labels:')
    ? parseSelector(printSelector(parseSelector(text.slice('labels:'.length))))
    : [];
  // One that means every server would be another word for `global`, and win over recipes by accident.
  if (selector.length > 0) return { kind: 'labels', selector };
  throw new ProblemError('request.invalid', `"${text}" is no scope of settings`, { fix: `Write ${example}.` });
}

/** In one way of writing it, so that equal scopes are equal texts. */
export const printScope = (scope: SettingScope): string => {
  if (scope.kind === 'global') return 'global';
  return scope.kind === 'labels' ? `labels:${printSelector(scope.selector)}` : `${scope.kind}:${scope.name}`;
};

function isScope(text: string): boolean {
  try {
    parseScope(text);
    return true;
  } catch (error) {
    if (error instanceof ProblemError) return false;
    throw error;
  }
}

export const scopeSchema = z.string().check(z.maxLength(1100), z.refine(isScope, `must be ${example}`));
