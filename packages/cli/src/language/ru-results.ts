import type { PluralForms } from './catalogue.ts';

/** Sentences in what commands print as their result, where people read it. Headings, states and other data stay. */
export const resultSentences: Readonly<Record<string, string>> = {
  // explain
  'dropped    it is not in the config': 'отброшен   в конфигурации его нет',
  none: 'нет',
  'not every step is listed': 'перечислены не все шаги',
  'rule       none; it goes to the final outbound': 'правило    нет; соединение идёт в final',
  'before it  rules that were asked and did not take it': 'до него    правила, которые проверены и не подошли',
  'goes through a proxy': 'идёт через прокси',
  'goes out directly': 'идёт напрямую',
  'is refused': 'отклоняется',
  'is answered by the DNS of the engine': 'отвечает DNS движка',
  'goes through a proxy or directly, as the group chooses': 'идёт через прокси или напрямую, как выберет группа',
  fails: 'сбой',
  'it has no conditions': 'условий нет',
  'is the same node': 'тот же узел',
  'the lot did not fall on it': 'жребий выпал не на него',
  'the node that it dials through is not there any more': 'узла, через который он подключался, больше нет',
  'the new name would be empty; it keeps the old one': 'новое имя было бы пустым; остаётся прежнее',

  // settings
  'no config got a new version by it': 'новых версий конфигураций от этого нет',
  wins: 'действует',
  'its labels are others': 'метки другие',
  'no server was asked for': 'сервер не назван',
  'it is in no environment': 'окружения нет',

  // validate, check, diff
  'no changes': 'изменений нет',
  'no difference': 'различий нет',
  'only hidden values differ: --reveal shows them': 'различаются только скрытые значения: их покажет --reveal',
  'the engine’s own outbounds changed, DNS unchanged': 'изменились собственные outbounds движка, DNS без изменений',
  'DNS unchanged': 'DNS без изменений',
  'DNS changed': 'DNS изменён',
  'the engine fetches this rule-set when it starts, and does not start where it cannot':
    'движок загружает этот набор правил при запуске и без него не запустится',

  // top
  'no engine': 'движка нет',
  'none yet: sboxmgr server token': 'пока нет: sboxmgr server token',
  never: 'никогда',
  '… there are more that were not asked for': '… есть и другие, они не запрошены',
};

/** The same with values. */
export const resultPhrases: Readonly<Record<string, string>> = {
  // explain
  'node       {} ({})': 'узел       {1} ({2})',
  'read from  {}, line {#}, as "{}"': 'прочитан   из {1}, строка {2}, как "{3}"',
  'read from  {}, as "{}"': 'прочитан   из {1}, как "{2}"',
  'operator   {#} {}: {}': 'оператор   {1} {2}: {3~}',
  'at the end {}': 'в конце    {1~}',
  'kept       as "{}"': 'оставлен   как "{1}"',
  'groups     {}': 'группы     {1~}',
  'left out   {}': 'пропущен   {1~}',
  'rule       {#}: {}': 'правило    {1}: {2}',
  'verdict    {}': 'итог       {1~}',
  'fails: {}': 'сбой: {1~}',
  'because    {}': 'причина    {1~}',
  'way        {}': 'путь       {1}',
  'nodes      {}': 'узлы       {1}',
  'unknown    rule {#} may take it: {} would have to be known': 'неизвестно может подойти правило {1}: нужно знать {2}',
  'assumed    {}': 'считаем    {1~}',
  'the mode is "{}"': 'режим — "{1}"',
  '- {#} {}: {}': '- {1} {2}: {3~}',
  '? {#} {}: {}': '? {1} {2}: {3~}',
  'no {} fits {}': 'не подходит: {1} для {2}',
  'inverted: {}': 'обращено: {1~}',
  'cannot be said without: {}': 'нельзя сказать без: {1}',
  'is called "{}" now': 'теперь называется "{1}"',
  'is called "{}" now, because the name was taken': 'теперь называется "{1}": имя было занято',
  '"{}" of {} is the same node': '"{1}" из {2} — тот же узел',
  'its labels are {} now': 'его метки теперь: {1}',
  'its country is {} now': 'его страна теперь {1}',
  'dials through "{}" now': 'теперь подключается через "{1}"',
  'it is number {#}, and {#} may stay': 'он {1}-й, а остаться могут {2}',
  'keep asks for {}': 'keep требует {1}',
  'drop asks for {}': 'drop требует {1}',

  // settings
  '{} has version {#}': '{1}: теперь версия {2}',
  '{}: nothing was written': '{1}: ничего не задано',
  '{}: no values any more': '{1}: значений больше нет',
  '{}: version {#} → {#}': '{1}: версия {2} → {3}',
  'servers of {} and {} get the same': 'серверы окружений {1} и {2} получают одно и то же',
  'there is no {} {} yet: the values wait for one of that name':
    'пока нет {1} {2}: значения подождут того, что получит это имя',
  'loses to {}': 'уступает: {1}',
  'loses to {}: more conditions, or later in the order of the text':
    'уступает: {1}, где больше условий или который позже по алфавиту',
  'does not apply: {}': 'не применяется: {1~}',
  'no {} was asked for': 'не сказано, какой {1}',
  'it is in {}': 'окружение — {1}',
  '{}: {} = {} for {} until {}': '{1}: {2} = {3} для {4} до {5}',

  // assignment
  '{}: every server': '{1}: все серверы',
  'runs     {} as {}': 'работает {1} как {2}',
  'runs     {} as {}, not deployed yet': 'работает {1} как {2}, пока не развёрнуто',
  'servers  {}': 'серверы  {1~}',

  // validate, check, diff
  '✗ {}: {}': '✗ {1}: {2~}',
  '! {}: {}': '! {1}: {2~}',
  '{} check of the engine': '{1} проверка движком',
  '{} check of the engine: {}': '{1} проверка движком: {2}',
  '- {} is left out: {}': '- {1} пропущен: {2~}',
  '{}, valid': '{1~}, всё верно',
  '{}, not valid': '{1~}, есть ошибки',
  'could not be evaluated: {}': 'вычислить не удалось: {1}',
  '{} goes away in {}; instead: {}': '{1} исчезнет в {2}; взамен: {3}',
  'there is no inbound "{}": nothing comes in by it': 'входа "{1}" нет: через него ничего не придёт',
  'the group "{}" has no members': 'в группе "{1}" никого нет',
  'the default of "{}" is not one of its members': 'default группы "{1}" — не из её состава',
  'rule {#} takes everything, so that no rule behind it is asked':
    'правило {1} подходит всему, и правила за ним не проверяются',
  '~ {} is now {}': '~ {1} — теперь {2}',
  '{#} unchanged': 'без изменений: {1}',
  'and {#} more': 'и ещё {1}',
  '{#} more': 'ещё {1}',

  // top
  'up {}': 'работает {1}',
  '{} ago': '{1} назад',
  '{} of {} committed': 'принято: {1} из {2}',
  '… {#} more': '… ещё {1}',
  '… {#} more that were not asked for': '… ещё {1}, они не запрошены',
  'this is old: {}': 'это устарело: {1~}',
  '{} is taken back in {} unless it is confirmed': '{1} вернётся назад через {2}, если не подтвердить',
  '{} is taken back in {} unless it is confirmed, or the manager is still reached':
    '{1} вернётся назад через {2}, если не подтвердить и не будет связи с менеджером',
  '{}: new orders wait; to take them again: {}': '{1}: новые приказы ждут; снова принимать их: {2}',
};

/** What a change of a config is counted in. */
const parts: Readonly<Record<string, PluralForms>> = {
  node: ['узел', 'узла', 'узлов'],
  group: ['группа', 'группы', 'групп'],
  rule: ['правило', 'правила', 'правил'],
  'rule-set': ['набор правил', 'набора правил', 'наборов правил'],
  inbound: ['вход', 'входа', 'входов'],
  'other setting': ['другая настройка', 'другие настройки', 'других настроек'],
};

/** Of the summary of a change: `+3 nodes DE`, `1 rule moved`. */
export const changePhrases: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(parts).flatMap(([english, forms]) =>
    [english, `${english}s`].flatMap((noun) => {
      const counted = `{1:${forms.join('|')}}`;
      return [
        [`+{#} ${noun}`, `+${counted}`],
        [`+{#} ${noun} {}`, `+${counted} {2}`],
        [`−{#} ${noun}`, `−${counted}`],
        [`−{#} ${noun} {}`, `−${counted} {2}`],
        [`{#} ${noun} changed`, `изменено: ${counted}`],
        [`{#} ${noun} renamed`, `переименовано: ${counted}`],
        [`{#} ${noun} moved`, `перемещено: ${counted}`],
      ];
    }),
  ),
);
