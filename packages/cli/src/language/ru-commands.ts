/** Groups and commands, by their English summaries. The words are those of ru.ts. */
export const groups: Readonly<Record<string, string>> = {
  'Sources of nodes': 'Источники узлов',
  'Recipes, their versions, and moving servers to them': 'Рецепты, их версии и перевод серверов на них',
  'Machines with an agent': 'Машины с агентом',
  'Servers on their way to a version': 'Перевод серверов на версию',
  'Old versions and snapshots, and how long they stay': 'Старые версии и снимки и сколько они хранятся',
  'Who takes a config, and by which link': 'Кто берёт конфигурации и по какой ссылке',
  'Environments: servers that belong together, and when nothing is deployed there':
    'Окружения: серверы, которые вместе, и когда там ничего не разворачивается',
  'What happened': 'Что произошло',
  'Access tokens of people and programs': 'Токены доступа людей и программ',
  'People who may come in': 'Люди, у которых есть доступ',
  'Codes of an authenticator, besides the password': 'Коды аутентификатора в дополнение к паролю',
  'What people and tokens may do together': 'Наборы прав людей и токенов',
  'On the machine of the manager, without a login': 'На машине менеджера, без входа',
  'Who did what, and the proof of it': 'Кто что сделал и чем это доказано',
  'Settings of configs in layers, and of the manager': 'Настройки конфигураций по слоям и настройки менеджера',
  'Values that win for a while': 'Значения, которые на время важнее остальных',
  'Managers under names of your own': 'Менеджеры под вашими именами',
  'Nodes that are not wanted': 'Ненужные узлы',
  'The key that the manager signs orders with': 'Ключ, которым менеджер подписывает приказы',
  'What must not be among the nodes': 'Чего не должно быть среди узлов',
  'What nodes are put into': 'То, во что подставляются узлы',
  'What can be done with nodes': 'Что можно делать с узлами',
  'What engines can run': 'Что умеют движки',
  'What another version of the engine would change': 'Что изменит другая версия движка',
  'Rule-sets that the manager mirrors': 'Наборы правил, копии которых хранит менеджер',
};

export const commandSummaries: Readonly<Record<string, string>> = {
  // On this machine
  'From a subscription to a request through a proxy: provider, manager, agent and engine on this machine':
    'От подписки до запроса через прокси: провайдер, менеджер, агент и движок на этой машине',
  'Read a subscription (file, URL or -) and show its nodes and what was rejected':
    'Прочитать подписку (файл, URL или -), показать узлы и то, что отброшено',
  'Make an engine configuration from subscriptions or a recipe, without a manager':
    'Собрать конфигурацию движка из подписок или рецепта, без менеджера',
  'Write the nodes of a source in another form; what that cannot carry is said (exit 9)':
    'Записать узлы источника в другом формате; что в него не помещается, будет названо (код выхода 9)',
  'Check a sing-box configuration: references that the engine misses, what goes away, then the engine itself':
    'Проверить конфигурацию sing-box: ссылки в никуда, устаревшее, затем проверка самим движком',
  'What two configurations mean differently, or which nodes two subscriptions do not share':
    'Чем по смыслу различаются две конфигурации или какими узлами — две подписки',
  'How fast each node answers: to a TCP connection, or to a request through it':
    'Как быстро отвечает каждый узел: на TCP-соединение или на запрос через него',
  'What another version of the engine would change in a recipe or a configuration file; exit 7 when it breaks':
    'Что изменит другая версия движка в рецепте или файле конфигурации; код выхода 7, если что-то сломается',
  'Run the manager': 'Запустить менеджер',
  'Give a manager that is stopped another key to sign orders with; agents learn of it by the root key':
    'Сменить остановленному менеджеру ключ подписи приказов; агенты узнают о нём по корневому ключу',
  'What a problem code means and what to do about it': 'Что значит код ошибки и что с ней делать',
  'Where a node comes from, what each operator did to it, and where it is now':
    'Откуда взялся узел, что сделал с ним каждый оператор и где он теперь',
  'Where a connection goes, and by which rule: in what a recipe makes, or in a configuration file':
    'Куда пойдёт соединение и по какому правилу: по рецепту или по файлу конфигурации',
  'The same about a config: where a connection goes, and why a node is where it is':
    'То же о конфигурации: куда пойдёт соединение и почему узел там, где он есть',
  'Put nodes on the list: by id, host, name or pattern; with --from names become ids':
    'Добавить узлы в список: по id, адресу, имени или шаблону; с --from имена заменяются на id',
  'Take nodes off the list': 'Убрать узлы из списка',
  'Take all nodes off the list': 'Очистить список',
  'Which nodes of a source the list drops': 'Какие узлы источника исключает список',

  // Policies
  'What must not be, and whether it is looked for: by the manager, or on this machine':
    'Чего быть не должно и проверяется ли это: у менеджера или на этой машине',
  'One policy of the manager': 'Одна политика менеджера',
  'Give the manager a policy; it is heard when versions are made or published':
    'Добавить менеджеру политику; она действует при создании и публикации версий',
  'Change a policy of the manager': 'Изменить политику менеджера',
  'Delete a policy of the manager': 'Удалить политику менеджера',
  'What the policies find in nodes, or in a config of the manager; exit 7 when one denies':
    'Что политики находят в узлах или в конфигурации менеджера; код выхода 7, если хоть одна запрещает',
  'How many nodes each policy of this machine finds, also those that are off':
    'Сколько узлов находит каждая политика этой машины, включая выключенные',
  'Look for this, by the manager or on this machine': 'Включить политику у менеджера или на этой машине',
  'Do not look for this': 'Выключить политику',

  // Templates, operators, engines
  'All templates that the manager has; without one those that come with sbox':
    'Все шаблоны менеджера; без него — шаблоны из состава sbox',
  'A template with its parameters': 'Шаблон и его параметры',
  'The config that a template gives, with these parameters and nodes':
    'Конфигурация, которую даёт шаблон с этими параметрами и узлами',
  'Everything in a template file that would fail later': 'Все ошибки в файле шаблона, которые проявились бы позже',
  'Make a template of a config that exists: what it renders first is the same':
    'Сделать шаблон из готовой конфигурации: сначала он даёт в точности её',
  'Give the manager a template': 'Добавить менеджеру шаблон',
  'Make a new version of a template': 'Создать новую версию шаблона',
  'Delete a template that no config is made from': 'Удалить шаблон, по которому не сделано ни одной конфигурации',
  'Versions of a template, newest first': 'Версии шаблона, сначала новые',
  'How an operator is written': 'Как записывается оператор',
  'What engines can run, by version and build tags; or whether this one can':
    'Что умеют движки по версиям и тегам сборки; или умеет ли это данный движок',
  'Give the manager a sing-box that servers can be given; it is read, not run':
    'Добавить менеджеру sing-box для раздачи серверам; файл читается, но не запускается',
  'Engines that servers can be given': 'Движки, которые можно раздать серверам',
  'Remove an engine, by version or digest, that no server is given':
    'Удалить движок по версии или хешу, если он не назначен ни одному серверу',

  // Subscriptions
  'List subscriptions': 'Список подписок',
  'Add a subscription: a URL that is fetched on a schedule, or the content of a file':
    'Добавить подписку: URL, который загружается по расписанию, или содержимое файла',
  'One subscription': 'Одна подписка',
  'Change some of a subscription': 'Изменить подписку',
  'Delete a subscription that no config uses': 'Удалить подписку, которую не использует ни одна конфигурация',
  'Fetch now': 'Загрузить сейчас',
  'What a source would give; nothing is stored': 'Что даст источник; ничего не сохраняется',
  'Nodes of the version in use': 'Узлы используемой версии',
  'Recent fetches': 'Последние загрузки',
  Snapshots: 'Снимки',
  'What changed in a snapshot': 'Что изменилось в снимке',
  'Use this snapshot from now on; "newest" follows the newest again':
    'Закрепить этот снимок; "newest" — снова следовать за последним',

  // Configs
  'List configs': 'Список конфигураций',
  'Make a config and its version 1': 'Создать конфигурацию и её версию 1',
  'One config': 'Одна конфигурация',
  'Change some of a recipe; generate makes a version of it': 'Изменить рецепт; версию из него делает generate',
  'Delete a config that no server runs': 'Удалить конфигурацию, которая не работает ни на одном сервере',
  'Make a new version when something changed': 'Создать новую версию, если что-то изменилось',
  'What would be rendered, left out and found wrong': 'Что получится, что будет пропущено и что не в порядке',
  'Versions, newest first': 'Версии, сначала новые',
  'One version: what it was made from, and what it was rendered for':
    'Одна версия: из чего она сделана и под что собрана',
  'Make a draft the newest version, when its tests and policies let it':
    'Опубликовать черновик новой версией, если позволяют тесты и политики',
  'Delete a draft': 'Удалить черновик',
  'Give a version a name; it leaves the version that had it': 'Дать версии имя; у прежней версии оно снимается',
  'Write down something about a version, in place of what is there': 'Записать заметку о версии вместо прежней',
  'What changed in a version': 'Что изменилось в версии',
  'Run the tests of a config, or of a recipe with no manager; exit 7 when one fails':
    'Прогнать тесты конфигурации или, без менеджера, рецепта; код выхода 7, если хоть один не прошёл',
  'What another version of the engine would change; exit 7 when it breaks':
    'Что изменит другая версия движка; код выхода 7, если что-то сломается',
  'Fetch rule-sets now, all or these': 'Загрузить наборы правил сейчас, все или только эти',
  'Make a new version like an older one, and deploy it': 'Создать новую версию как прежняя и развернуть её',
  'Move servers to a version: one first, the rest on its verdict':
    'Перевести серверы на версию: сначала один, остальные — по его итогу',
  'The runnable text of a version, with its secrets': 'Готовый к запуску текст версии, с секретами',
  'Deployments, newest first': 'Развёртывания, сначала новые',
  'One deployment, server by server': 'Одно развёртывание по серверам',
  'How many versions and snapshots would be removed now, and why the rest stays':
    'Сколько версий и снимков было бы удалено сейчас и почему остальные остаются',
  'Remove old versions and snapshots that nobody needs, without waiting for the hour':
    'Удалить старые ненужные версии и снимки, не дожидаясь своего часа',

  // Clients
  'Who takes a config, and when last': 'Кто берёт конфигурации и когда в последний раз',
  'Make a client; prints its link to who may see secrets':
    'Создать клиента; ссылку увидит тот, кому можно видеть секреты',
  'One client; with --reveal or --qr its link': 'Один клиент; с --reveal или --qr — его ссылка',
  'Change some of a client': 'Изменить клиента',
  'Delete a client': 'Удалить клиента',
  'Give a client a new link; the one before is no longer good': 'Дать клиенту новую ссылку; прежняя перестаёт работать',
  'Devices of a client': 'Устройства клиента',
  'Make room for another device': 'Освободить место для другого устройства',
  'What a client asked for lately': 'Что клиент запрашивал в последнее время',
  'Which rule a request would match, and what it would be answered':
    'Под какое правило подпадёт запрос и что на него ответят',
  'Which app gets which format': 'Какое приложение получает какой формат',
  'Set the rules of all clients, YAML or JSON; an empty list brings back those of sbox':
    'Задать правила для всех клиентов, YAML или JSON; пустой список возвращает правила sbox',

  // Files and contexts
  'What an apply of these files would do; exit 0 when nothing, 20 when something':
    'Что сделает apply с этими файлами; код выхода 0 — ничего, 20 — что-то изменится',
  'Make the manager have what these files say; deploys nothing by itself':
    'Привести менеджер к тому, что сказано в файлах; само по себе ничего не разворачивает',
  'Managers that you have named, and the one that is used': 'Менеджеры с именами и тот, что используется',
  'Talk to this manager, unless something else is named': 'Обращаться к этому менеджеру, если не назван другой',
  'Name a manager; the first one is used at once': 'Дать менеджеру имя; первый сразу становится текущим',
  'Forget a name; its login stays': 'Забыть имя; вход остаётся',
  'Which manager a command typed here would talk to, and why; or one that is named':
    'К какому менеджеру обратится команда, набранная здесь, и почему; или названный контекст',
  'Everything that the manager has as files, with -d; else the older name of generate':
    'С -d: всё, что есть у менеджера, в виде файлов; без него — прежнее имя generate',

  // Environments and assignments
  'List environments': 'Список окружений',
  'One environment with its freeze windows': 'Одно окружение и его окна заморозки',
  'Make an environment': 'Создать окружение',
  'Change an environment': 'Изменить окружение',
  'Deploy nothing there for a time: once, or every week with --days':
    'Какое-то время ничего там не разворачивать: один раз или, с --days, каждую неделю',
  'Take a freeze window away; what it held back is deployed':
    'Снять окно заморозки; то, что оно задержало, будет развёрнуто',
  'Delete an environment that nothing is in': 'Удалить пустое окружение',
  'Which servers which config is for': 'Какая конфигурация каким серверам назначена',
  'One assignment': 'Одно назначение',
  'Say which servers a config is for; nothing is sent before it is deployed':
    'Назначить конфигурацию серверам; до развёртывания ничего не отправляется',
  'Change an assignment; servers that come to be meant are sent its version':
    'Изменить назначение; серверам, которые под него попадут, отправится его версия',
  'Delete an assignment; servers keep what they run': 'Удалить назначение; на серверах остаётся то, что работает',
  'Who is meant and what they run, and who runs it without being meant':
    'Какие серверы назначены и что на них работает; и где это работает без назначения',

  // Servers
  'The fleet, live: counts, deployments, servers with the worst first, what happened; Ctrl C ends it':
    'Весь парк вживую: сводка, развёртывания, серверы начиная с худших, события; выход — Ctrl C',
  'List servers': 'Список серверов',
  'One server: what it runs, how it took it, what is wrong; everything with -o yaml':
    'Один сервер: что на нём работает, как прошёл переход, что не так; целиком — с -o yaml',
  'Change name, labels and environment; what comes to be meant for it is sent by itself':
    'Изменить имя, метки и окружение; то, что серверу теперь назначено, отправится само',
  'Make a token that lets one server join, and print how':
    'Создать токен подключения для одного сервера и показать, как им воспользоваться',
  'Join tokens': 'Токены подключения',
  'Withdraw a join token': 'Отозвать токен подключения',
  'Add a server that never sees this manager; it is given bundles':
    'Добавить сервер, у которого нет связи с менеджером; ему передают пакеты',
  'Forget a server; its agent keeps running what it has': 'Забыть сервер; его агент продолжит работать с тем, что есть',
  'Manifest and content in one file, to carry to a server by hand':
    'Манифест и содержимое одним файлом, чтобы перенести на сервер вручную',
  'Events, newest first': 'События, сначала новые',
  'What the manager is and has': 'Что за менеджер и что у него есть',
  'Whether the manager can do its work': 'Может ли менеджер работать',
  'Send a request as it is; a body comes from standard input':
    'Отправить запрос как есть; тело берётся из стандартного ввода',

  // Settings
  'Scopes that have values': 'Области, где заданы значения',
  'Every key that values can be written for': 'Все ключи, для которых можно задать значения',
  'The values of a scope': 'Значения области',
  'Write values of a scope; configs that get something else by it get a new version':
    'Задать значения области; конфигурации, которые от этого меняются, получат новую версию',
  'Take values of a scope away': 'Убрать значения области',
  'Write all values of a scope from a file': 'Задать все значения области из файла',
  'Every layer that has a say in a setting, and which wins; also for settings of the manager itself':
    'Все слои, где задана настройка, и какой из них важнее; в том числе для настроек самого менеджера',
  'What a server, a config or a client gets, and from which layer':
    'Что получит сервер, конфигурация или клиент и из какого слоя',
  'What a scope had before, newest first': 'Прежние значения области, сначала новые',
  'What a version of a scope changed, the newest by default': 'Что изменила версия области, по умолчанию последняя',
  'Write the values of an older version again': 'Вернуть значения прежней версии',
  'Let a value win over all others for a while': 'На время сделать значение важнее всех остальных',
  'Overrides that have not ended': 'Действующие переопределения',
  'End an override now': 'Завершить переопределение сейчас',
  'Write values for the servers of an environment': 'Задать значения для серверов окружения',
  'Take values of an environment away': 'Убрать значения окружения',
  'What servers of two environments get differently': 'Чем различаются значения для серверов двух окружений',

  // People
  'Log in with a password, or by a browser; the token that comes back is kept for twelve hours at most':
    'Войти по паролю или через браузер; полученный токен хранится не дольше двенадцати часов',
  'End the login, here and at the manager': 'Выйти здесь и у менеджера',
  'Who you are to the manager, and what you may do': 'Кто вы для менеджера и что вам можно',
  'Change your own password; ends your sessions and personal tokens':
    'Сменить свой пароль; завершает ваши сессии и личные токены',
  'Begin to log in with an authenticator: prints what it is given; confirm it with a code':
    'Включить вход с аутентификатором: печатает данные для него; подтвердите кодом',
  'Show a code of the authenticator: logging in needs one from now on. Prints codes for recovery':
    'Подтвердить кодом аутентификатора: дальше он нужен при входе. Печатает коды восстановления',
  'Let a user whose authenticator is lost log in with the password alone':
    'Разрешить пользователю без аутентификатора вход по одному паролю',
  Users: 'Пользователи',
  'One user': 'Один пользователь',
  'Make a user': 'Создать пользователя',
  'Change a user; another role, and being disabled, end the sessions':
    'Изменить пользователя; смена роли и отключение завершают его сессии',
  'Give a user another password, and unlock it; ends the sessions and personal tokens':
    'Сменить пользователю пароль и снять блокировку; завершает его сессии и личные токены',
  'Remove a user; its personal tokens are revoked': 'Удалить пользователя; его личные токены отзываются',
  'Roles, and what each may do': 'Роли и что каждой можно',
  'Access tokens': 'Токены доступа',
  'Make an access token and print it once': 'Создать токен доступа и показать его один раз',
  'Revoke an access token': 'Отозвать токен доступа',
  'On the machine of the manager: a new token that may do everything':
    'На машине менеджера: новый токен, которому можно всё',
  'On the machine of the manager: let a user in again that is locked or disabled':
    'На машине менеджера: снова пустить заблокированного или отключённого пользователя',
  'On the machine of the manager: another password for a user, who is let in again':
    'На машине менеджера: новый пароль пользователю; он снова может войти',

  // The audit log
  'Who did what, newest first': 'Кто что сделал, сначала новое',
  'One entry with all that it says': 'Одна запись целиком',
  'Signed heads of the log, newest first': 'Подписанные контрольные точки журнала, сначала новые',
  'The whole log as lines of JSON, with its checkpoints and their keys':
    'Весь журнал строками JSON, с контрольными точками и их ключами',
  'Prove that the log of the manager, or an export without a manager, is whole and unchanged; exit 1 if not':
    'Доказать, что журнал менеджера (или его выгрузка, без менеджера) цел и не изменён; код выхода 1, если нет',

  // The program, and the older one
  'Print what makes bash, zsh or fish complete the commands':
    'Напечатать скрипт автодополнения команд для bash, zsh или fish',
  'The older name of inspect': 'Прежнее имя inspect',
  'The older name of exclusion': 'Прежнее имя exclusion',
  'Make a recipe of a TOML profile of the older sboxctl, and say what has no equal':
    'Сделать рецепт из TOML-профиля старого sboxctl и назвать то, чему нет замены',
};
