import { ProblemError } from '@sbox/core';
import type { Collector } from '../collector.ts';
import type { Limits } from '../limits.ts';
import type { NodeDraft } from '../node.ts';
import { isSeveral, linkReaders, parseLink, readLink } from '../links/parse-link.ts';
import { splitLink } from '../links/split-link.ts';
import { readSsd } from '../links/ssd.ts';
import { planUsage } from '../metadata/plan-usage.ts';
import { isNoticeLine } from '../notices.ts';
import { forEachLine } from '../text/lines.ts';
import { normaliseName } from '../text/names.ts';
import { readClashLine } from './clash.ts';
import { refuseLongLine } from './ini.ts';
import { isQuantumultXLine, readQuantumultXLine } from './quantumult-x.ts';
import { isSurgeLine } from './surge.ts';
import { readSurgeLine } from './surge-line.ts';

/** One link on a line; lines of Clash (as JSON), Surge, Loon and Quantumult X occur among them, or alone. */
export function readLinkList(text: string, collector: Collector, limits: Limits): void {
  const read = (line: string): NodeDraft => readLine(line, limits);
  forEachLine(text, (raw, number) => {
    const line = raw.trim();
    if (line === '' || isComment(line)) return;
    if (isSeveral(line)) addSeveral(line, number, { collector, limits });
    else collector.add(number, line, read);
  });
}

const isComment = (line: string): boolean => line.startsWith('#') || line.startsWith(';') || line.startsWith('//');

function readLine(line: string, limits: Limits): NodeDraft {
  refuseLongLine(line, limits);
  const link = splitLink(line);
  if (link !== undefined) return readLink(link, line);
  // Cut out of a list of JSON, a line keeps its comma.
  if (/^(?:-\s*)?\{/.test(line)) return readClashLine(line.replace(/,$/, ''));
  if (isNoticeLine(line))
    throw new ProblemError('node.notice', 'the line is a notice about the plan', { details: { notice: line } });
  if (isQuantumultXLine(line)) return readQuantumultXLine(line);
  return isSurgeLine(line) ? readSurgeLine(line) : parseLink(line);
}

interface Target {
  readonly collector: Collector;
  readonly limits: Limits;
}

/** A link of several nodes, of which each may fail by itself. */
function addSeveral(line: string, number: number, { collector, limits }: Target): void {
  let readers: ReturnType<typeof linkReaders> = [];
  try {
    // An SSD link is a whole subscription on one line, so the limit of lines is not for it.
    if (!/^ssd:/i.test(line)) refuseLongLine(line, limits);
    readers = linkReaders(line);
    if (/^ssd:/i.test(line)) addAirport(line, collector);
  } catch (error) {
    collector.add(number, line, () => {
      throw error;
    });
  }
  for (const read of readers) collector.add(number, line, read);
}

const gib = 2 ** 30;

/** SSD counts traffic in GiB and writes dates as `2031-01-01 00:00:00`. */
function addAirport(line: string, collector: Collector): void {
  const link = splitLink(line);
  if (link === undefined) return;
  const { name, traffic_used, traffic_total, expiry } = readSsd(link);
  const title = normaliseName(name ?? '');
  const ends = Date.parse(`${expiry?.trim().replace(' ', 'T') ?? ''}Z`);
  const usage = planUsage({
    ...(Number(traffic_used) >= 0 ? { download: Number(traffic_used) * gib } : {}),
    ...(Number(traffic_total) > 0 ? { total: Number(traffic_total) * gib } : {}),
    ...(Number.isNaN(ends) ? {} : { expire: ends / 1_000 }),
  });
  collector.addMetadata({ ...(title === '' ? {} : { title }), ...(usage === undefined ? {} : { usage }) });
}
