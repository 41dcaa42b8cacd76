import type { ProblemWords } from '@sbox/core';

export const words = (title: string, fix: string): ProblemWords => ({ title, fix });

export const engineSays = 'Что говорит движок — в причине.';
const byItself = 'Повтор произойдёт сам.';

/** The part of ru-problems.ts that is about servers, their agents and this machine. */
export const serverProblems: Readonly<Record<string, ProblemWords>> = {
  // Servers and deployments
  'server.not-found': words('Нет такого сервера', 'Список: sboxmgr server list'),
  'server.exists': words(
    'Сервер с таким именем уже есть',
    'Выберите другое имя: --name. Если сервер подключается заново, сначала удалите его: sboxmgr server remove NAME',
  ),
  'server.identity-cloned': words(
    'Ключ этого сервера использует другая машина',
    'Подключите эту машину отдельно: удалите её каталог состояния, затем sboxagent join с новым токеном.',
  ),
  'server.not-assigned': words('У сервера нет конфигурации', 'Разверните её: sboxmgr config deploy NAME --server NAME'),
  'environment.not-found': words('Нет такого окружения', 'Список: sboxmgr env list'),
  'environment.exists': words('Окружение с таким именем уже есть', 'Выберите другое имя или измените это окружение.'),
  'environment.in-use': words(
    'Окружение используется',
    'Переведите то, что названо в подробностях, в другое окружение: sboxmgr server edit NAME --no-environment',
  ),
  'environment.frozen': words(
    'Окружение заморожено',
    'Дождитесь конца заморозки или объясните, почему ждать нельзя: --override-freeze REASON',
  ),
  'assignment.not-found': words('Нет такого назначения', 'Список: sboxmgr assignment list'),
  'assignment.exists': words('Назначение с таким именем уже есть', 'Выберите другое имя или измените это назначение.'),
  'assignment.conflict': words(
    'Два назначения претендуют на один юнит сервера',
    'Сузьте один из селекторов, например role=edge,!canary, или укажите другой юнит.',
  ),
  'deployment.not-found': words('Нет такого развёртывания', 'Список: sboxmgr deployment list'),
  'deployment.no-servers': words('Разворачивать не на чем: серверов нет', 'Подключите сервер: sboxmgr server token'),
  'deployment.halted': words('Развёртывание остановлено', 'Устраните причину и разверните снова.'),
  'deployment.no-verdict': words(
    'Сервер не сообщил, чем кончилось',
    'Посмотрите сервер и его агента: sboxmgr server show NAME',
  ),
  'deployment.running': words('Эта конфигурация уже разворачивается', 'Дождитесь конца.'),

  // What an agent may answer about a manifest
  'manifest.signature-invalid': words(
    'У манифеста нет верной подписи',
    'Проверьте, что это тот менеджер, к которому подключён сервер.',
  ),
  'manifest.unknown-key': words(
    'Манифест подписан неизвестным ключом',
    'Загрузите документ доверия снова или подключите сервер заново.',
  ),
  'manifest.invalid': words('Манифест не читается', 'Обновите агент.'),
  'manifest.stale': words(
    'Манифест старее принятого',
    'Опубликуйте новое поколение; после восстановления из копии увеличьте эпоху.',
  ),
  'manifest.expired': words('Срок манифеста истёк', 'Опубликуйте новое поколение; проверьте часы.'),
  'manifest.wrong-server': words('Манифест для другого сервера', 'Возьмите пакет, сделанный для этого сервера.'),
  'manifest.agent-too-old': words('Агент слишком старый для этого манифеста', 'Обновите агент.'),
  'blob.not-found': words('Нет такого содержимого', 'Опубликуйте снова.'),
  'blob.digest-mismatch': words('Содержимое не совпадает с хешем', 'Оно будет загружено снова само.'),
  'blob.fetch-failed': words('Содержимое не удалось загрузить', byItself),
  'disk.full': words('На диске нет места', `Освободите место. ${byItself}`),
  'trial.probe-failed': words(
    'Через кандидата не прошёл ни один запрос',
    'Живы ли узлы? Что встретила проверка — в причине.',
  ),
  'trial.start-failed': words('Кандидат не запустился', engineSays),
  'apply.refused': words('Движок остался на прежней конфигурации', engineSays),
  'apply.failed': words(
    'Движок не поднялся с новой конфигурацией',
    'Снова работает прежняя; что говорит движок — в причине.',
  ),
  'apply.probe-failed': words(
    'После перехода не прошёл ни один запрос',
    'Снова работает прежняя версия; что встретила проверка — в причине.',
  ),
  'apply.rolled-back': words('Новая версия отменена', 'См. причину.'),
  'apply.unconfirmed': words(
    'Новая версия отменена: её вовремя никто не подтвердил',
    'Разверните снова и подтвердите в срок: sboxagent config confirm',
  ),
  'confirm.nothing-pending': words('Ни одна версия не ждёт подтверждения', 'Что работает: sboxagent status'),
  'server.held': words('Этот сервер удерживается', 'Чтобы он снова принимал приказы: sboxagent config release'),
  'server.not-held': words('Этот сервер не удерживается', 'Что работает: sboxagent status'),
  'unit.port-in-use': words(
    'Порт занят другой программой',
    'Остановите её или выберите другой порт: ports: {<inbound>: n}',
  ),
  'unit.not-found': words('Нет такого юнита', 'Список: sboxagent status'),
  'unit.failed': words(
    'Не работает ни новая версия, ни последняя исправная',
    'См. журнал движка; агент продолжает попытки.',
  ),
  'bundle.invalid': words('Пакет не читается', 'Сделайте его снова: sboxmgr server bundle NAME'),
  'import.unsafe-file': words(
    'Импортировать этот файл небезопасно',
    'Нужен обычный файл, принадлежащий root или агенту и недоступный другим на запись.',
  ),
  'import.not-allowed': words(
    'Файлы без подписи здесь не принимаются',
    'Включите import.allow_unsigned или импортируйте подписанный пакет.',
  ),
  'history.empty': words('Более ранней версии нет', 'Возвращаться не к чему.'),

  // This machine
  'context.not-found': words(
    'Нет такого контекста',
    'Список: sboxmgr context list; добавить: sboxmgr context add NAME URL',
  ),
  'context.exists': words(
    'Контекст с таким именем уже есть',
    'Выберите другое имя или удалите тот, что есть: sboxmgr context remove NAME',
  ),
  'directory.unusable': words(
    'Каталог состояния не годится',
    'Выберите каталог, доступный этому пользователю на запись: sboxmgr serve --data DIR, sboxagent --state-dir DIR',
  ),
  'quickstart.running': words(
    'В этом каталоге уже работает quickstart',
    'Остановите его через Ctrl C или выберите другой каталог: --dir.',
  ),
  'port.in-use': words('Порт занят', 'Остановите программу, которая его держит, или выберите другой порт.'),
  'settings.invalid': words('Неверные настройки', 'Исправьте ключи, названные в подробностях.'),
  'settings.invalid-value': words(
    'Неверное значение настройки',
    'Исправьте то, что названо в подробностях; все ключи и их типы: sboxmgr settings keys',
  ),
  'settings.breaks-config': words(
    'С этим значением конфигурацию больше нельзя собрать',
    'Измените значение или конфигурацию, названную в причине.',
  ),
  'settings.version-not-found': words('У этой области нет такой версии', 'Список: sboxmgr settings history --global'),
  'settings.override-not-found': words(
    'Нет такого переопределения',
    'Возможно, оно закончилось. Список: sboxmgr settings override list',
  ),
  'settings.unsafe': words('Эти настройки открыли бы дыру в защите', 'См. причину.'),
  'command.usage': words('Команда записана неверно', 'См. --help.'),
  'command.failed': words('Команда не выполнена', 'См. причину.'),
  'command.timeout': words('Это заняло слишком много времени', 'Повторите с большим --timeout.'),
  'agent.not-joined': words('Этот сервер не подключён к менеджеру', 'sboxagent join URL --token-file FILE'),
  'agent.running': words('С этим состоянием уже работает агент', 'Сначала остановите его.'),
  'agent.unreachable': words('Агент не отвечает', 'Запустите его: sboxagent run'),
};
