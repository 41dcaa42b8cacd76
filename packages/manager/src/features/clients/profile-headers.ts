import type { ClientFormat } from '@sbox/protocol';
import type { StoredClient } from './clients-repository.ts';

/** Media types, and what a file of the format is called. */
export const mediaTypes: Readonly<Record<ClientFormat, { readonly type: string; readonly ending: string }>> = {
  'sing-box': { type: 'application/json; charset=utf-8', ending: 'json' },
  clash: { type: 'text/yaml; charset=utf-8', ending: 'yaml' },
  links: { type: 'text/plain; charset=utf-8', ending: 'txt' },
  base64: { type: 'text/plain; charset=utf-8', ending: 'txt' },
  html: { type: 'text/html; charset=utf-8', ending: 'html' },
};

const base64 = (text: string): string => `base64:${Buffer.from(text).toString('base64')}`;

/** What programs of the field read beside the config. */
export function profileHeaders(client: StoredClient, format: ClientFormat): Record<string, string> {
  const { update_interval_hours, web_page_url, support_url, announce } = client;
  const userinfo = userinfoOf(client);
  return {
    'profile-title': base64(titleOf(client)),
    'profile-update-interval': String(update_interval_hours),
    ...(userinfo === undefined ? {} : { 'subscription-userinfo': userinfo }),
    ...(web_page_url === null ? {} : { 'profile-web-page-url': web_page_url }),
    ...(support_url === null ? {} : { 'support-url': support_url }),
    ...(announce === '' ? {} : { announce: base64(announce) }),
    ...(format === 'html' ? {} : { 'content-disposition': attachment(client, mediaTypes[format].ending) }),
    // Kept by the program, asked about each time, and by nobody in between.
    'cache-control': 'private, no-cache',
    vary: 'accept, accept-language, user-agent',
  };
}

export const titleOf = ({ title, name }: Pick<StoredClient, 'title' | 'name'>): string => (title === '' ? name : title);

/** Nothing where nothing is known: a total of 0 would say that there is no limit. */
function userinfoOf({ usage, expires_at }: Pick<StoredClient, 'usage' | 'expires_at'>): string | undefined {
  if (usage === null && expires_at === null) return undefined;
  const { upload, download, total } = usage ?? { upload: 0, download: 0, total: 0 };
  const expire = expires_at === null ? 0 : Math.floor(Date.parse(expires_at) / 1000);
  return `upload=${upload}; download=${download}; total=${total}; expire=${expire}`;
}

/** RFC 6266: the name in ASCII for old programs, the title for the others. */
function attachment(client: StoredClient, ending: string): string {
  const title = encodeURIComponent(`${titleOf(client)}.${ending}`).replace(
    /['()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${client.name}.${ending}"; filename*=UTF-8''${title}`;
}
