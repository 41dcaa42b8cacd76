import { redactedMark } from '@sbox/core';
import { hideSecrets } from '@sbox/pipeline';
import type { Repositories } from '../../database/store.ts';
import { omit } from '../../omit.ts';
import { held } from '../deployments/held-deployments.ts';
import { hidePatch } from '../hidden.ts';
import { findTemplate } from '../templates/templates-service.ts';
import type { Config } from './configs-repository.ts';

type Shown = Pick<Repositories, 'subscriptions' | 'servers' | 'meta' | 'templates'>;

/** Configs as they are shown, with the same few questions for any number of them. */
export async function showConfigs(store: Shown, configs: readonly Config[], reveal = false) {
  const ids = [...new Set(configs.flatMap(({ subscriptions }) => subscriptions))];
  const names = new Map((await store.subscriptions.findMany(ids)).map(({ id, name }) => [id, name]));
  const servers = await store.servers.countAssigned(configs.map(({ id }) => id));
  const waiting = new Map(await held.all(store.meta));
  return await Promise.all(
    configs.map(async (config) => {
      const version = waiting.get(config.id);
      const shown = {
        ...omit(config, 'last_number'),
        subscriptions: config.subscriptions.map((id) => ({ id, name: names.get(id) ?? id })),
        servers: servers.get(config.id) ?? 0,
        held_version: version === undefined ? null : Number(version),
      };
      if (reveal) return shown;
      const template = { ...config.template, params: await hideParams(store, config.template) };
      return { ...shown, template, patch: hidePatch(config.patch) };
    }),
  );
}

/** Parameters of the type `secret` are never shown; of a template that is gone none are. */
export async function hideParams(
  store: Pick<Repositories, 'templates'>,
  { name, version, params }: Config['template'],
): Promise<Config['template']['params']> {
  if (Object.keys(params).length === 0) return params;
  const found = await findTemplate(store, name, version).catch(() => undefined);
  if (found) return hideSecrets(found.template, params);
  return Object.fromEntries(Object.keys(params).map((key) => [key, redactedMark]));
}
