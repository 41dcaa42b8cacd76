import type { PlanUsage } from './metadata.ts';
import { planUsage } from './plan-usage.ts';

const units: Readonly<Record<string, number>> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40, p: 2 ** 50 };
const cyrillic: Readonly<Record<string, string>> = { к: 'k', м: 'm', г: 'g', т: 't' };
const amount = String.raw`(\d{1,12}(?:[.,]\d{1,9})?)\s*([kmgtpкмгт])?(?:i?[bб]|байт)?`;

/** Used and total in one, as `1.2 GB / 100 GB`. */
const pair = new RegExp(String.raw`${amount}\s*[/|]\s*${amount}`, 'i');
const used = new RegExp(String.raw`(?:已用流量|\bused\b[^\d]{0,20}|использовано)\s*[:：=]?\s*${amount}`, 'i');
const total = new RegExp(String.raw`(?:总流量|\btotal\b[^\d]{0,20}|всего)\s*[:：=]?\s*${amount}`, 'i');
const left = new RegExp(
  String.raw`(?:剩余流量|流量剩余|\b(?:remain(?:ing)?|left)\b[^\d]{0,20}|осталось)\s*[:：=]?\s*${amount}`,
  'i',
);
const traffic = /traffic|bandwidth|data|流量|трафик/i;
const ending = /到期|过期|有效期|expir|until|valid|истекает|до\s|до:/i;
const yearFirst = /(20\d\d)[-/.年](\d{1,2})[-/.月](\d{1,2})/;
const dayFirst = /\b(\d{1,2})\.(\d{1,2})\.(20\d\d)\b/;

type Writable = { -readonly [Key in keyof PlanUsage]: PlanUsage[Key] };

/** The numbers in the messages of a provider, as far as they can be read without doubt; what comes first counts. */
export function readNotices(notices: readonly string[]): PlanUsage | undefined {
  const usage: Writable = {};
  let leftBytes: number | undefined;
  for (const notice of notices) {
    if (ending.test(notice)) setOnce(usage, 'expire', endOf(notice));
    const both = traffic.test(notice) ? pair.exec(notice) : null;
    if (both?.[4] === undefined) {
      setOnce(usage, 'download', find(used, notice));
      setOnce(usage, 'total', find(total, notice));
      leftBytes ??= find(left, notice);
    } else {
      setOnce(usage, 'download', bytesOf(both[1], both[2] ?? both[4]));
      setOnce(usage, 'total', bytesOf(both[3], both[4]));
    }
  }
  // What is left says something only beside the total.
  if (usage.total !== undefined && leftBytes !== undefined && leftBytes <= usage.total)
    setOnce(usage, 'download', usage.total - leftBytes);
  return planUsage(usage);
}

function setOnce(usage: Writable, name: keyof PlanUsage, value: number | undefined): void {
  if (value !== undefined) usage[name] ??= value;
}

function find(pattern: RegExp, notice: string): number | undefined {
  const match = pattern.exec(notice);
  // A number without a unit may be days.
  return match?.[2] === undefined ? undefined : bytesOf(match[1], match[2]);
}

function bytesOf(text: string | undefined, unit: string): number | undefined {
  const letter = unit.toLowerCase();
  const factor = units[cyrillic[letter] ?? letter];
  return text === undefined || factor === undefined ? undefined : Math.round(Number(text.replace(',', '.')) * factor);
}

/** The end of the day that is named, in UTC. */
function endOf(notice: string): number | undefined {
  const ymd = yearFirst.exec(notice)?.slice(1) ?? dayFirst.exec(notice)?.slice(1).toReversed();
  if (ymd === undefined) return undefined;
  const [year = 0, month = 0, day = 0] = ymd.map(Number);
  const date = new Date(Date.UTC(year, month - 1, day));
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return exists ? date.getTime() / 1_000 + 86_399 : undefined;
}
