import { problemTable } from '@sbox/core';
import { createLanguage } from './catalogue.ts';
import type { Language } from './language.ts';
import { causes } from './ru-causes.ts';
import { commandSummaries, groups } from './ru-commands.ts';
import { optionSummaries } from './ru-options.ts';
import { presets } from './ru-presets.ts';
import { problems } from './ru-problems.ts';
import { changePhrases, resultPhrases, resultSentences } from './ru-results.ts';
import { nouns, phrases, sentences } from './ru-talk.ts';
import { usage } from './ru-usage.ts';

/**
 * The words, one for each thing:
 *
 * - config, config version, draft, tag: конфигурация, версия (конфигурации), черновик, тег
 * - rendition: вариант (of a version, for one kind of engine; сборка is a build of an engine)
 * - subscription, node, snapshot, quarantine: подписка, узел, снимок, карантин
 * - recipe, template, pipeline, operator, rule-set: рецепт, шаблон, конвейер, оператор, набор правил
 * - server, agent, manager, engine, unit: сервер, агент, менеджер, движок, юнит
 * - deployment, verdict, freeze: развёртывание, итог, заморозка
 * - manifest, bundle, trial, generation, epoch: манифест, пакет, кандидат, поколение, эпоха
 * - environment, label, assignment: окружение, метка, назначение
 * - setting, layer, scope, override: настройка, слой, область, переопределение
 * - policy, exclusion: политика, исключение
 * - client, device, link: клиент, устройство, ссылка
 * - token, join token, permission, role, bounds: токен, токен подключения, право, роль, границы
 * - context: контекст; audit log: журнал аудита; option: опция
 *
 * Commands, options, codes, keys and words that are typed stay as they are.
 */
export const russian: Language = createLanguage({
  name: 'ru',
  texts: {
    // Other problems quote them.
    ...Object.fromEntries(
      Object.entries(problemTable).flatMap(([code, { title, fix }]) => {
        const words = problems[code];
        return words === undefined
          ? []
          : [
              [title, words.title],
              [fix, words.fix],
            ];
      }),
    ),
    ...groups,
    ...commandSummaries,
    ...optionSummaries,
    ...presets,
    ...resultSentences,
    ...sentences,
  },
  phrases: { ...causes, ...usage, ...changePhrases, ...resultPhrases, ...phrases },
  nouns,
  problems,
});
