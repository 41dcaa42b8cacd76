import { canonicalJson } from '@sbox/protocol';
import { defaultsLayer } from './setting-keys.ts';
import { createSettingOverrides, type OverridesDeps, type SettingOverrides } from './setting-overrides.ts';
import { createSettingsChanges, type SettingsChangesDeps } from './settings-changes.ts';
import { createSettingsQuestions, type SettingsQuestions } from './settings-questions.ts';
import { createSettingsService, valueOf, type SettingsService } from './settings-service.ts';

export interface CreateSettingsDeps
  extends Omit<SettingsChangesDeps, 'changed'>, Omit<OverridesDeps, 'changes' | 'store'> {}

type Listener = (value: unknown) => void;

export interface Settings extends Omit<SettingsService, 'value'> {
  readonly overrides: SettingOverrides;
  readonly questions: SettingsQuestions;
  /** What holds for nobody in particular; the fallback where no layer says anything. */
  value<T>(key: string, fallback: T): Promise<T>;
  /** Calls when that is another value from now on. Dispose ends it. */
  watch(key: string, listener: Listener): Disposable;
}

/** Settings in layers: what people write, what it is for whom, and what follows from a change. */
export function createSettings(deps: CreateSettingsDeps): Settings {
  const listeners = new Map<string, Set<Listener>>();
  const changes = createSettingsChanges({
    ...deps,
    changed: (keys, before, after) => {
      for (const key of keys) {
        const [old, now] = [before, after].map((layers) => valueOf([defaultsLayer, ...layers], key));
        if (canonicalJson(old ?? null) === canonicalJson(now ?? null)) continue;
        for (const listener of listeners.get(key) ?? []) listener(now);
      }
    },
  });
  const service = createSettingsService({ ...deps, changes });
  return {
    ...service,
    overrides: createSettingOverrides({ ...deps, changes }),
    questions: createSettingsQuestions(deps.store),
    value: async <T>(key: string, fallback: T) => (await service.value(key, fallback)) as T,
    watch(key, listener) {
      const heard = listeners.get(key) ?? new Set();
      listeners.set(key, heard.add(listener));
      return {
        [Symbol.dispose]: () => {
          heard.delete(listener);
          if (heard.size === 0) listeners.delete(key);
        },
      };
    },
  };
}
