/** How panels write traffic, expiry and web addresses into the names of nodes that are none. */
const noticeNames: readonly RegExp[] = [
  /剩余流量|流量剩余|已用流量|总流量|流量重置|距离下次重置|套餐到期|到期时间|过期时间|有效期至?[:：]/,
  /(?:流量|到期|过期|重置|官网|网址|最新域名|发布页|客服|通知|公告)\s*[:：]/,
  /^\W*(?:remaining|remain|used|total|data|left)?\s*(?:traffic|bandwidth|data)(?:\s+(?:left|used|reset|remaining))?\s*[:：=]/i,
  /^\W*expir(?:es?|y|ed|ation)(?:\s+(?:date|time|in|on|at))?\s*[:：=]/i,
  /^\W*(?:expire|traffic)\s*$/i,
  /\d(?:\.\d+)?\s*[GMT]i?B\s*[|/]\s*\d+(?:\.\d+)?\s*[GMT]i?B/i,
  /(?:осталось|трафик|истекает|подписка\s+до|действует\s+до)\s*[:：]/i,
];

/** Lines of their own, beside the links. */
const noticeLines = /^\s*(?:STATUS|REMARKS|TRAFFIC|EXPIRE)\s*=/i;

/** No server has these addresses; panels use them for messages. */
const nowhere: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

export const isNoticeName = (name: string): boolean => noticeNames.some((pattern) => pattern.test(name));
export const isNoticeLine = (line: string): boolean => noticeLines.test(line) || isNoticeName(line);
export const isNowhere = (server: string): boolean => nowhere.has(server);
