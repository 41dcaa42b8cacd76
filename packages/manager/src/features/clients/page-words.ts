/** What the page for people says. */
export interface PageWords {
  readonly scan: string;
  readonly open: string;
  readonly link: string;
  readonly formats: string;
  readonly copy: string;
  readonly used: string;
  readonly of: string;
  readonly unlimited: string;
  readonly until: string;
  readonly forever: string;
  readonly help: string;
  readonly website: string;
  readonly secret: string;
}

const words: Readonly<Record<string, PageWords>> = {
  en: {
    scan: 'Scan this with your app',
    open: 'Open in an app',
    link: 'Your link',
    formats: 'For one kind of app',
    copy: 'Click an address to select it, then copy it into your app.',
    used: 'Used',
    of: 'of',
    unlimited: 'no limit',
    until: 'Good until',
    forever: 'no end',
    help: 'Help',
    website: 'Website',
    secret: 'Whoever has this link can use your access: keep it to yourself.',
  },
  ru: {
    scan: 'Отсканируйте приложением',
    open: 'Открыть в приложении',
    link: 'Ваша ссылка',
    formats: 'Для отдельных приложений',
    copy: 'Нажмите на адрес, чтобы выделить его, и вставьте в приложение.',
    used: 'Использовано',
    of: 'из',
    unlimited: 'без ограничения',
    until: 'Действует до',
    forever: 'бессрочно',
    help: 'Помощь',
    website: 'Сайт',
    secret: 'Кто знает эту ссылку, пользуется вашим доступом: никому её не показывайте.',
  },
};

/** The words in the language that a browser would rather have (RFC 9110, 12.5.4); English when it names none of ours. */
export function wordsFor(languages: string | undefined): { readonly language: string; readonly words: PageWords } {
  const wanted = (languages ?? '')
    .slice(0, 256)
    .split(',')
    .map((part) => {
      const [tag = '', ...params] = part.trim().toLowerCase().split(';');
      const quality = params.map((param) => /^\s*q=([\d.]+)\s*$/.exec(param)?.[1]).find((found) => found !== undefined);
      return { language: tag.split('-')[0] ?? '', quality: Number(quality ?? 1) };
    })
    .filter(({ language, quality }) => Object.hasOwn(words, language) && quality > 0)
    .toSorted((a, b) => b.quality - a.quality);
  const language = wanted[0]?.language ?? 'en';
  return { language, words: words[language] ?? (words['en'] as PageWords) };
}
