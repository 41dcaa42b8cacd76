/** Text that may go into a page as it is. */
export interface Markup {
  readonly html: string;
}

type Part = Markup | string | number | undefined | readonly Part[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const print = (part: Part): string => {
  if (part === undefined) return '';
  if (typeof part === 'object') return 'html' in part ? part.html : part.map(print).join('');
  return String(part).replace(/[&<>"']/g, (letter) => entities[letter] ?? letter);
};

/** Template tag: everything that is not Markup itself is escaped. */
export const markup = (texts: TemplateStringsArray, ...parts: readonly Part[]): Markup => ({
  html: texts.map((text, index) => text + print(parts[index])).join(''),
});

export const raw = (text: string): Markup => ({ html: text });
