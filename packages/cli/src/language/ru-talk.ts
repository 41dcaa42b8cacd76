import type { PluralForms } from './catalogue.ts';

/** Whole sentences that are said while something is done, and words of the program itself. */
export const sentences: Readonly<Record<string, string>> = {
  // Help
  'Turns proxy subscriptions into versioned engine configurations and runs them on a fleet of servers.':
    'Превращает подписки на прокси в версии конфигураций движка и запускает их на парке серверов.',
  'Usage:': 'Использование:',
  'Arguments:': 'Аргументы:',
  'Options:': 'Опции:',
  'Commands:': 'Команды:',
  'Examples:': 'Примеры:',
  'default:': 'по умолчанию:',
  '[options]': '[опции]',
  '[command]': '[команда]',

  // Problems
  'error: ': 'ошибка:  ',
  'cause: ': 'причина: ',
  'fix:   ': 'решение: ',
  'fix:': 'решение:',
  'this is a bug in sbox': 'это ошибка в самом sbox',
  'report what is printed here': 'сообщите нам то, что здесь напечатано',
  'run it again with --verbose and report what it prints': 'запустите ещё раз с --verbose и сообщите, что напечатано',
  stopped: 'остановлено',
  'stopped by a signal': 'остановлено сигналом',
  'no reason was given': 'причина не названа',
  'nothing to change was named': 'не сказано, что изменить',
  'See the same command with --help.': 'См. ту же команду с --help.',

  // The way to the manager
  'the address of the manager is empty': 'адрес менеджера пуст',
  'or set SBOXMGR_URL, or unset it': 'или задайте SBOXMGR_URL, или уберите её',
  'another manager: --manager URL': 'другой менеджер: --manager URL',
  'local commands still work: sboxmgr generate --help': 'локальные команды работают и так: sboxmgr generate --help',
  'a subscription is read by: sboxmgr inspect URL': 'прочитать подписку: sboxmgr inspect URL',
  'its certificate is of its own CA: --ca-file DATA/certificates/ca.crt or SBOXMGR_CA_FILE, with DATA of the manager':
    'его сертификат от собственного УЦ: --ca-file DATA/certificates/ca.crt или SBOXMGR_CA_FILE, где DATA — каталог менеджера',
  'it speaks plain HTTP there: --manager http://…': 'там открытый HTTP: --manager http://…',
  'it hung up; off loopback it speaks TLS: --manager https://…':
    'он оборвал связь; вне loopback он говорит по TLS: --manager https://…',
  'Leave one of them away: a context has an address of its own.': 'Уберите одно из двух: у контекста есть свой адрес.',

  // Nothing there yet
  'No subscriptions yet. Add one: sboxmgr subscription add NAME URL':
    'Подписок пока нет. Добавить: sboxmgr subscription add NAME URL',
  'No configs yet. Make one: sboxmgr config create NAME --subscription NAME':
    'Конфигураций пока нет. Создать: sboxmgr config create NAME --subscription NAME',
  'No servers yet. Make a join token: sboxmgr server token':
    'Серверов пока нет. Создать токен подключения: sboxmgr server token',
  'No server is like that.': 'Таких серверов нет.',
  'No users yet. Make one: sboxmgr user create NAME --role admin --generate':
    'Пользователей пока нет. Создать: sboxmgr user create NAME --role admin --generate',
  'No contexts yet. Add one: sboxmgr context add NAME URL':
    'Контекстов пока нет. Добавить: sboxmgr context add NAME URL',
  'No values yet. Write one: sboxmgr settings set log_level=info --global':
    'Значений пока нет. Задать: sboxmgr settings set log_level=info --global',
  'No environments yet. Make one: sboxmgr env create prod': 'Окружений пока нет. Создать: sboxmgr env create prod',
  'No assignments yet: sboxmgr assignment create NAME --selector role=edge --config NAME':
    'Назначений пока нет: sboxmgr assignment create NAME --selector role=edge --config NAME',
  'No clients yet. Make one: sboxmgr client add NAME CONFIG':
    'Клиентов пока нет. Создать: sboxmgr client add NAME CONFIG',
  'No engines yet: servers run what they have. Add one: sboxmgr engine add FILE':
    'Движков пока нет: на серверах работает то, что есть. Добавить: sboxmgr engine add FILE',
  'No server is meant now; the first one that is gets what was deployed.':
    'Под назначение не попадает ни один сервер; первый, что попадёт, получит развёрнутое.',
  'Nothing is overridden.': 'Переопределений нет.',
  'the recipe has no tests': 'в рецепте нет тестов',

  'its draft is published': 'пока не опубликован черновик',
  'its subscriptions have nodes': 'пока в подписках нет узлов',

  // Done
  'the token was withdrawn': 'токен отозван',
  'the token is revoked': 'токен отозван',
  'this is shown once:': 'это показывается один раз:',
  'the link before is no longer good': 'прежняя ссылка больше не работает',
  'the rules are those of sbox again': 'снова действуют правила sbox',
  'nothing was removed: this was a dry run': 'ничего не удалено: это был пробный прогон',
  'nothing was done': 'ничего не сделано',
  'nothing to do': 'делать нечего',
  'Do this? [y/N] ': 'Выполнить? [y/N] ',
  'nobody is there to be asked; nothing was done': 'спросить некого; ничего не сделано',
  '--yes does it': '--yes выполнит без вопроса',
  'What is done stays; mend the cause and apply again: it goes on from there.':
    'Сделанное остаётся; устраните причину и повторите apply: он продолжит с этого места.',
  'secrets are in these files: do not commit them as they are':
    'в этих файлах секреты: не добавляйте их в репозиторий как есть',
  'Name a directory of files: -f DIR. To make one from what the manager has: sboxmgr export -d DIR':
    'Назовите каталог с файлами: -f DIR. Сделать его из того, что есть у менеджера: sboxmgr export -d DIR',

  // Logging in
  'who logs in?': 'кто входит?',
  'no password': 'нет пароля',
  'or pipe it in': 'или передайте его через конвейер',
  'it is not used while --token-file or SBOXMGR_TOKEN_FILE names another':
    'пока в --token-file или SBOXMGR_TOKEN_FILE назван другой токен, этот не используется',
  'the password is changed; log in again: sboxmgr login': 'пароль сменён; войдите снова: sboxmgr login',
  'give this to your authenticator, then: sboxmgr totp confirm CODE':
    'передайте это аутентификатору, затем: sboxmgr totp confirm CODE',
  'logging in needs a code from now on. These open once each, and are shown once:':
    'теперь для входа нужен код. Эти коды годятся по одному разу и показываются один раз:',
  'open this in a browser on this machine (on another one: --paste):':
    'откройте это в браузере на этой машине (на другой: --paste):',
  'open this in a browser, and paste the code that it shows:':
    'откройте это в браузере и вставьте код, который он покажет:',
  'open this in a browser, and paste the code that it shows, then Ctrl D:':
    'откройте это в браузере и вставьте код, который он покажет, затем Ctrl D:',
  'nobody logged in within ten minutes': 'за десять минут никто не вошёл',

  // Local work
  'not checked': 'без проверки',
  'nothing was written': 'ничего не записано',
  'sing-box check ok': 'sing-box check: в порядке',
  'subscription returned HTML, not a subscription': 'вместо подписки пришла страница HTML',
  'See which operator did it, and why: --explain': 'Какой оператор это сделал и почему: --explain',
  'See what another engine can run: sboxmgr engine capabilities':
    'Что умеет другой движок: sboxmgr engine capabilities',
  'Name a subscription that has some: --from FILE|URL': 'Назовите подписку, где они есть: --from FILE|URL',
  'look at it: sboxmgr inspect FILE|URL': 'посмотреть её: sboxmgr inspect FILE|URL',
  'no subscription was named': 'подписка не названа',
  '--from FILE|URL|-   or   --recipe FILE': '--from FILE|URL|-   или   --recipe FILE',
  'Name a file in a directory that is there and may be written: --file FILE':
    'Назовите файл в существующем каталоге, доступном на запись: --file FILE',
  'Mend it at that place; a subscription is looked at with: sboxmgr inspect FILE':
    'Исправьте это место; подписку показывает: sboxmgr inspect FILE',
  'Choose another one: --dir DIR': 'Выберите другой: --dir DIR',

  // Quickstart
  'look for an engine': 'поиск движка',
  'start the demo provider': 'запуск демонстрационного провайдера',
  'generate a config': 'сборка конфигурации',
  'start the manager': 'запуск менеджера',
  'add the subscription and make a version': 'добавление подписки и создание версии',
  'join and start the agent': 'подключение и запуск агента',
  'deploy and wait for the verdict of the server': 'развёртывание и ожидание итога от сервера',
  'send a request through the proxy': 'запрос через прокси',
  'a real sing-box with three nodes on loopback': 'настоящий sing-box с тремя узлами на loopback',
  'fetched, checked, tried with a request, taken over, watched':
    'загружено, проверено, испытано запросом, включено, под наблюдением',
  'Stopping.': 'Остановка.',
  'the demo provider is part of a checkout': 'демонстрационный провайдер есть только в копии репозитория',
};

/** Sentences with values, `{#}` of digits. `{1~}` is a value that is looked up too; names and other data are not. */
export const phrases: Readonly<Record<string, string>> = {
  // What is typed wrong
  "unknown option '{}'": "неизвестная опция '{1}'",
  "unknown option '{}' (Did you mean {}?)": "неизвестная опция '{1}' (возможно, {2}?)",
  "unknown option '{}' (Did you mean one of {}?)": "неизвестная опция '{1}' (возможно, одна из {2}?)",
  "unknown command '{}'": "неизвестная команда '{1}'",
  "unknown command '{}' (Did you mean {}?)": "неизвестная команда '{1}' (возможно, {2}?)",
  "unknown command '{}' (Did you mean one of {}?)": "неизвестная команда '{1}' (возможно, одна из {2}?)",
  "missing required argument '{}'": "не хватает аргумента '{1}'",
  "option '{}' argument missing": "у опции '{1}' нет значения",
  'too many arguments{}. Expected {#} argument{} but got {#}: {}.':
    'слишком много аргументов: ожидалось {2}, получено {4}: {5}.',
  '{} is not one of {}': '{1} — не из списка: {2}',
  '{} is "{}", not a whole number {}': '{1} — "{2}", а нужно целое число {3~}',
  'from {#} on': 'от {1}',
  'from {#} to {#}': 'от {1} до {2}',
  '{} is no http or https address': '{1} — не адрес http или https',
  '{} is no address of a manager: those have no path': '{1} — не адрес менеджера: у тех нет пути',

  // The way to the manager
  'cannot reach manager at {} ({})': 'нет связи с менеджером {1} ({2})',
  '{#} tries in {}': '{1:попытка|попытки|попыток} за {2}',
  '{#} try in {}': '{1:попытка|попытки|попыток} за {2}',
  'or log in: {}': 'или войдите: {1}',
  "SBOXMGR_TOKEN_FILE is not sent to {}: it may be another manager's":
    'SBOXMGR_TOKEN_FILE не отправляется в {1}: он может быть от другого менеджера',
  'the login of {} at {} ended at {}': 'вход {1} в {2} закончился {3}',
  'manager at {}; Ctrl C stops it. In another terminal:': 'менеджер: {1}; остановить — Ctrl C. В другом терминале:',

  'fix:   {}': 'решение: {1~}',

  // Done
  '{} was deleted': '{1}: удалено',
  '{} was ended': '{1}: завершено',
  '{} was forgotten': '{1}: забыто',
  '{} is removed': '{1}: удалено',
  '{} was deleted; servers keep what they run': '{1}: удалено; на серверах остаётся то, что работает',
  'draft {#} was deleted': 'черновик {1} удалён',
  'done: {}': 'сделано: {1~}',
  'version of {} {}': 'версия: {1} {2}',
  '{#} to create, {#} to change, {#} to remove, {#} unchanged':
    'создать: {1}, изменить: {2}, удалить: {3}, без изменений: {4}',
  'in no file, and left as they are: {}': 'нет ни в одном файле, остаётся как есть: {1}',
  'stopped at: {}: {}': 'остановлено на: {1}: {2~}',
  'hidden values are in {}: this manager keeps what it has, another one refuses them':
    'скрытые значения в {1}: этот менеджер оставит свои, другой их не примет',
  'note: {}': 'примечание: {1~}',

  // Subscriptions and local work
  'read {}: {}, {#} bytes in {}': 'прочитано из {1}: {2~}, {3:байт|байта|байт} за {4}',
  '{}, {#} nodes: {}': '{1}, {2:узел|узла|узлов}: {3}',
  '{}, {#} node: {}': '{1}, {2:узел|узла|узлов}: {3}',
  '{}, {#} nodes: {}   ({#} rejected)': '{1}, {2:узел|узла|узлов}: {3}   (отброшено: {4})',
  '{}, {#} node: {}   ({#} rejected)': '{1}, {2:узел|узла|узлов}: {3}   (отброшено: {4})',
  '{#} of them are shown': 'из них показано: {1}',
  'see why: {}': 'почему: {1}',
  'rejected line {#}: {}': 'отброшена строка {1}: {2}',
  'left out {}: {}': 'пропущено: {1}: {2}',
  '{} left out: the same as others of another name or source':
    '{1~}: пропущено, совпадает с другими под другим именем или из другого источника',
  '{}, {#} bytes for sing-box {}': '{1~}, {2:байт|байта|байт} для sing-box {3}',
  '{#} bytes, {#} nodes for sing-box {}': '{1:байт|байта|байт}, {2:узел|узла|узлов} для sing-box {3}',
  '{} passed': '{1~}: пройдено',
  'HTTP status {#}, exit code {#}': 'статус HTTP {1}, код выхода {2}',
  '{#} of {#} tests failed': 'не прошло: {1} из {2:теста|тестов|тестов}',
  'wrote {#} of {#} nodes as {}': 'записано: {1} из {2:узла|узлов|узлов} как {3}',
  'wrote {}. Next: {}': 'записано: {1}. Дальше: {2}',
  'wrote {} (mode 0600): {}': 'записано: {1} (права 0600): {2}',
  '{#} of {#} nodes answered': 'ответило: {1} из {2:узла|узлов|узлов}',
  '{#} of {#} nodes would be dropped': 'было бы исключено: {1} из {2:узла|узлов|узлов}',
  '{#} added, {#} were there already: {}': 'добавлено: {1}, уже было: {2}: {3}',
  '{#} removed: {}': 'удалено: {1}: {2}',
  '{}: no exclusions. Add one: sboxmgr exclusion add NODE-ID':
    '{1}: исключений нет. Добавить: sboxmgr exclusion add NODE-ID',
  '{}, {#} of them deny': '{1~}, из них запрещают: {2}',
  'no engine was found: taken for sing-box {} with every build tag':
    'движок не найден: считаем, что это sing-box {1} со всеми тегами сборки',
  'sing-box {} is newer than what is known here: it is taken for {}':
    'sing-box {1} новее известных здесь: считаем его за {2}',
  'the pipeline dropped all of {}': 'конвейер исключил всё: {1~}',
  '{} cannot be written: {}': 'не удалось записать {1}: {2}',
  '{}      see the first bytes: sboxmgr inspect URL --raw': '{1~}      начало ответа: sboxmgr inspect URL --raw',
  'hint: this is now: {}': 'подсказка: теперь это {1}',

  // Configs and deployments
  '{} has been told': '{1}: приказ отправлен',
  '{} serves the new version, and watches it': '{1}: новая версия работает, идёт наблюдение',
  '{} committed': '{1}: версия принята',
  'version {#} is like version {}': 'версия {1} такая же, как версия {2}',
  'To look at it: {}   To publish it: {}': 'Посмотреть: {1}   Опубликовать: {2}',
  'waits for confirmation until about {} UTC, on the server: sboxagent config confirm; else it stays only where the manager is still reached':
    'ждёт подтверждения примерно до {1} UTC, на сервере: sboxagent config confirm; иначе останется только там, где есть связь с менеджером',
  'goes to {}: {}': 'будет переведено, {1~}: {2}',
  '{}: version {#} waits for the end of a freeze': '{1}: версия {2} ждёт конца заморозки',
  'held by the freeze of {} until {}: {}': 'ждёт до {2}, заморозка {1}: {3}',
  'held by the freeze of {} without end: {}': 'ждёт без срока, заморозка {1}: {2}',
  '{} keeps its version: {}: {}': '{1}: остаётся прежняя версия: {2}: {3~}',
  'deployment {} is still running': 'развёртывание {1} ещё идёт',
  'no verdict in {}': 'нет итога за {1}',
  'nothing is sent yet: {}': 'пока ничего не отправлено: {1}',
  '{} has no tests. Give it some: {}': '{1}: тестов нет. Добавить: {2}',

  '{}: version {#}, {}, {#} rejected': '{1}: версия {2}, {3~}, отброшено: {4}',
  '{} was added, but has no nodes yet: {}': '{1}: добавлено, но узлов пока нет: {2~}',
  '{}: version {#}': '{1}: версия {2}',
  '{} was made; it has no version until {}': '{1}: создано; версии нет, {2~}',
  '{} was changed. Make a version of it: {}': '{1}: изменено. Создать версию: {2}',
  'nothing changed, it is still {}': 'ничего не изменилось, это по-прежнему {1~}',
  'version {#}: {}': 'версия {1}: {2~}',
  'version {#} with sing-box {}: {}': 'версия {1} с sing-box {2}: {3}',
  'draft {#}: {}': 'черновик {1}: {2~}',
  '{}, {#} left out ({})': '{1~}, пропущено: {2} ({3})',
  'in spite of a freeze: {}': 'вопреки заморозке: {1}',
  'deployment {} has begun': 'развёртывание {1} началось',
  '{} follows the newest version': '{1}: следует за последней версией',
  '{} is pinned to version {}': '{1}: закреплена версия {2}',
  'published. Deploy it: {}': 'опубликовано. Развернуть: {1}',
  'wrote {}': 'записано: {1}',
  '{} written, {} left as they are': 'записано: {1~}, без изменений: {2}',

  // Servers
  'wrote {} (mode 0600), good until {}': 'записано: {1} (права 0600), действует до {2}',
  'good for one server until {}. On the server, with the token in a file:':
    'годится для одного сервера до {1}. На сервере, с токеном в файле:',
  '{} is forgotten; its agent keeps running what it has':
    '{1}: забыто; агент продолжит работать с тем, что у него есть',
  'wrote {} (mode 0600: it holds secrets). On the server:': 'записано: {1} (права 0600: внутри секреты). На сервере:',
  '{}      (the first time with --pin {})': '{1}      (в первый раз с --pin {2})',
  'sing-box {} is not in it: where the server does not have it, use --with-engine':
    'sing-box {1} туда не входит: если на сервере его нет, используйте --with-engine',
  'servers get it with: {}': 'выдать серверам: {1}',

  // Logging in and contexts
  'logged in as {} until {}; the token is in {}': 'вход выполнен: {1}, до {2}; токен — в {3}',
  'nobody is logged in at {}': 'в {1} никто не вошёл',
  '{} is logged out': '{1}: выход выполнен',
  '{} logs in with the password alone': '{1}: вход по одному паролю',
  'commands talk to {} now, unless something else is named': 'теперь команды обращаются к {1}, если не названо другое',
  '{} is {}; it is in {}': '{1} — это {2}; записано в {3}',
  '{} is {}, and is used from now on; it is in {}': '{1} — это {2}, теперь текущий; записано в {3}',
  '{} is forgotten': '{1}: забыто',
  '{} is forgotten; no context is used now': '{1}: забыто; текущего контекста теперь нет',

  // Quickstart
  'state in {}': 'состояние в {1}',
  'admin token in {} (mode 0600)': 'токен администратора в {1} (права 0600)',
  '{} version {#}, {#} nodes': '{1}, версия {2}, {3:узел|узла|узлов}',
  '{} version {#} (nothing had changed), {#} nodes': '{1}, версия {2} (без изменений), {3:узел|узла|узлов}',
  '{} by a signed request': '{1~} по подписанному запросу',
  '{} joined': '{1}: подключён',
  '{} is back': '{1}: снова на связи',
  '{} answered {#} in {#} ms': '{1} — ответ {2} за {3} мс',
  'came back: {}': 'пришло: {1}',
  '  Ready in {}.': '  Готово за {1}.',
  'Try:   {}': 'Проверить: {1}',
  'Next:  {}': 'Дальше:    {1}',
  'Logs:  {}      Stop: Ctrl C (nothing is left running)':
    'Журналы:   {1}      Остановить: Ctrl C (ничего не останется работать)',
  'port {#} is in use': 'порт {1} занят',
  '{} is held by {}': '{1} занят: {2}',
  'another process holds {}': '{1} держит другой процесс',
};

/** What is counted, by the English singular. */
export const nouns: Readonly<Record<string, PluralForms>> = {
  node: ['узел', 'узла', 'узлов'],
  server: ['сервер', 'сервера', 'серверов'],
  test: ['тест', 'теста', 'тестов'],
  file: ['файл', 'файла', 'файлов'],
  finding: ['находка', 'находки', 'находок'],
  exclusion: ['исключение', 'исключения', 'исключений'],
  removal: ['удаление', 'удаления', 'удалений'],
  'rule-set': ['набор правил', 'набора правил', 'наборов правил'],
};
