import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import { mayReveal } from '../reveal.ts';
import type { Settings } from './settings.ts';

export const createSettingsRoutes = (settings: Settings): Handlers<OperatorContract['settings']> => ({
  list: async ({ query: { reveal, ...query } }, { caller }) => await settings.list(query, mayReveal(reveal, caller)),
  keys: async () => await settings.questions.keys(),
  effective: async ({ query: { reveal, ...who } }, { caller }) =>
    await settings.questions.effective(who, mayReveal(reveal, caller)),
  explain: async ({ query: { reveal, key, ...who } }, { caller }) =>
    await settings.questions.explain(key, who, mayReveal(reveal, caller)),
  listOverrides: async ({ query }) => await settings.overrides.list(query),
  createOverride: async ({ body }, { caller }) => await settings.overrides.create(body, caller.name),
  endOverride: async ({ params }, { caller }) => await settings.overrides.end(params.id, caller.name),
  get: async ({ params, query }, { caller }) => await settings.get(params.scope, mayReveal(query.reveal, caller)),
  replace: async ({ params, headers, body: { values, message } }, { caller }) =>
    await settings.replace(params.scope, headers['if-match'], values, { author: caller.name, message }),
  update: async ({ params, headers, body: { values, message } }, { caller }) =>
    await settings.update(params.scope, headers['if-match'], values, { author: caller.name, message }),
  remove: async ({ params, headers }, { caller }) =>
    await settings.remove(params.scope, headers['if-match'], caller.name),
  versions: async ({ params, query: { reveal, ...query } }, { caller }) =>
    await settings.versions(params.scope, query, mayReveal(reveal, caller)),
  diff: async ({ params, query }) => await settings.diff(params.scope, params.version, query.against),
  rollback: async ({ params, body: { version, message } }, { caller }) =>
    await settings.rollback(params.scope, version, { author: caller.name, message }),
});
