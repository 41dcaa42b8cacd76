// A browser without a screen: keeps cookies by host and path, follows redirects when it is told, fills the forms of the
// identity provider.

import { request, type IncomingHttpHeaders } from 'node:http';

export interface Page {
  readonly url: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Where the page leads at once, whole. */
  readonly location: string | undefined;
}

export interface CookieBrowser {
  /** By host and name. */
  readonly cookies: Map<string, Map<string, string>>;
  get(url: string): Promise<Page>;
  post(url: string, form: Readonly<Record<string, string>>): Promise<Page>;
  /** Goes on until a page leads nowhere, or to an address that `until` knows; that one is not asked for. */
  follow(url: string, until?: (url: URL) => boolean): Promise<Page>;
}

const mostHops = 20;
const longestMs = 15_000;

/** Not fetch: that says itself how it was called, and no browser would say so. */
async function send(
  url: string,
  form: Readonly<Record<string, string>> | undefined,
  headers: Readonly<Record<string, string>>,
): Promise<Pick<Page, 'status' | 'headers' | 'text'>> {
  const body = form && new URLSearchParams(form).toString();
  const type = body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
  const options = {
    method: body === undefined ? 'GET' : 'POST',
    headers: { ...headers, ...type },
    agent: false as const,
    signal: AbortSignal.timeout(longestMs),
  };
  return await new Promise((resolve, reject) => {
    request(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    })
      .on('error', reject)
      .end(body);
  });
}

export function createCookieBrowser(): CookieBrowser {
  const cookies = new Map<string, Map<string, string>>();
  const ask = async (url: string, form?: Readonly<Record<string, string>>): Promise<Page> => {
    const { host } = new URL(url);
    const jar = cookies.get(host) ?? new Map<string, string>();
    cookies.set(host, jar);
    const sent = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await send(url, form, {
      accept: 'text/html',
      'sec-fetch-mode': 'navigate',
      ...(sent === '' ? {} : { cookie: sent }),
    });
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      const isOver = attributes.some((part) => /^max-age=0$/i.test(part) || /^expires=Thu, 01 Jan 1970/i.test(part));
      if (isOver || value === '') jar.delete(name);
      else jar.set(name, value);
    }
    const { location } = answer.headers;
    return { url, ...answer, location: location === undefined ? undefined : new URL(location, url).href };
  };
  const browser: CookieBrowser = {
    cookies,
    get: async (url) => await ask(url),
    post: async (url, form) => await ask(url, form),
    async follow(url, until = () => false) {
      let page = await ask(url);
      for (let hop = 0; page.location !== undefined && !until(new URL(page.location)); hop += 1) {
        if (hop === mostHops) throw new Error(`more than ${mostHops} redirects from ${url}`);
        page = await ask(page.location);
      }
      return page;
    },
  };
  return browser;
}

/** Goes through the forms of the provider as this account. @returns the page that leads back, unless it shows something */
export async function logInThere(
  browser: CookieBrowser,
  start: string,
  account: string,
  isBack: (url: URL) => boolean,
): Promise<Page> {
  let page = await browser.follow(start, isBack);
  for (let form = 0; form < 3 && page.location === undefined; form += 1) {
    const [, action] = /<form[^>]*action="([^"]+)"/.exec(page.text) ?? [];
    const [, prompt] = /name="prompt" value="(\w+)"/.exec(page.text) ?? [];
    if (action === undefined || prompt === undefined) return page;
    const answered = await browser.post(new URL(action, page.url).href, { prompt, login: account, password: 'any' });
    page =
      answered.location === undefined || isBack(new URL(answered.location))
        ? answered
        : await browser.follow(answered.location, isBack);
  }
  return page;
}
