/** How panels write traffic, expiry and web addresses into the names of nodes that are none. */
const noticeNames: readonly RegExp[] = [
  /剩余流量|流量剩余|已用流量|总流量|流量重置|距离下次重置|套餐到期|到期时间|过期时间|有效期至?[:：]/,
  /(?:流量|到期|过期|重置|官网|网址|最新域名|发布页|客服|通知|公告)\s*[:：]/,
  /^\W*(?:remaining|remain|used|total|data|left)?\s*(?:traffic|bandwidth|data)(?:\s+(?:left|used|reset|remaining))?\s*[:：=]/i,
  /^\W*expir(?:es?|y|ed|ation)(?:\s+(?:date|time|in|on|at))?\s*[:：=]/i,
  /^\W*(?:expire|traffic)\s*$/i,
  /\d(?:\.\d+)?\s*[GMT]i?B\s*[|/]\s*\d+(?:\.\d+)?\s*[GMT]i?B/i,
  /(?:осталось(?:\s+дней)?|использовано|трафик|истекает|подписка\s+до|действует\s+до|активна\s+до)\s*[:：]/i,
  /(?:^|\P{L})(?:подписка|тариф)\s+(?:активна|действует|истекла|закончилась)/iu,
  /\d(?:[.,]\d+)?\s*[ГМТ]Б\s*[|/]\s*\d+(?:[.,]\d+)?\s*[ГМТ]Б/i,
];

/** Lines of their own, beside the links. */
const noticeLines = /^\s*(?:STATUS|REMARKS|TRAFFIC|EXPIRE)\s*=/i;

/** Something of this is in each of them; most names have nothing of it, and one look is cheaper than nine. */
const suspicious = /[:：=|/\u0400-\u04ff\u3400-\u9fff]|expir|traffic/i;

export const isNoticeName = (name: string): boolean =>
  suspicious.test(name) && noticeNames.some((pattern) => pattern.test(name));
export const isNoticeLine = (line: string): boolean => noticeLines.test(line) || isNoticeName(line);
/** No server has these addresses; panels use them for messages. */
export const isNowhere = (server: string): boolean => server === '0.0.0.0' || server === '::';
