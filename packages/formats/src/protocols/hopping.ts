import { ProblemError } from '@sbox/core';
import { listOf, takeText, wholeNumber, type Params } from '../params.ts';
import { readPort } from './address.ts';

/** `443,5000-6000` as sing-box's `["443:443","5000:6000"]`. @throws ProblemError `node.invalid-port`. */
export function takePortRanges(params: Params): readonly string[] | undefined {
  const text = takeText(params, 'mport');
  return text === undefined ? undefined : listOf(text)?.map(portRange);
}

function portRange(text: string): string {
  const dash = text.search(/[-:]/);
  const first = readPort((dash < 0 ? text : text.slice(0, dash)).trim());
  const last = dash < 0 ? first : readPort(text.slice(dash + 1).trim());
  if (first > last) throw new ProblemError('node.invalid-port', 'a range of ports has the form 5000-6000');
  return `${first}:${last}`;
}

/** The port that stands for the ranges where one number is asked for. */
export const firstPort = (ranges: readonly string[] | undefined): number | undefined =>
  ranges?.[0] === undefined ? undefined : Number.parseInt(ranges[0], 10);

/** Seconds, or a range of them that the client picks from at random; anything else is left alone. */
export function takeHopInterval(params: Params): readonly [string?, string?] {
  const text = params.get('hop-interval');
  if (text === undefined) return [];
  const match = /^(\d{1,6})s?(?:-(\d{1,6})s?)?$/.exec(text);
  const min = wholeNumber(match?.[1]);
  const max = wholeNumber(match?.[2]);
  if (!min || max === 0 || (max !== undefined && max < min)) return [];
  params.delete('hop-interval');
  return max === undefined ? [`${min}s`] : [`${min}s`, `${max}s`];
}
