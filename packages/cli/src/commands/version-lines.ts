import type { OperatorClient } from '../connection.ts';
import { counted } from '../counted.ts';

type Version = Awaited<ReturnType<OperatorClient['configs']['version']>>;
type Changed = Awaited<ReturnType<OperatorClient['settings']['update']>>;

export const findingLine = ({
  policy,
  verdict,
  reason,
  node,
  path,
  tag,
  count,
  problem,
}: Version['findings'][number]) => {
  const place =
    node?.tag ?? (tag === undefined ? path : `${path} (${tag})`) ?? (count === undefined ? '' : String(count));
  const what = problem ? `could not be evaluated: ${problem.detail}` : `${reason}${place === '' ? '' : `: ${place}`}`;
  return `${verdict === 'deny' ? '✗' : '!'} ${policy}: ${what}`;
};

/** A config that a change of settings gave no version, and why. */
export const keptLine = ({ name, code, detail }: Changed['kept'][number]): string =>
  `${name} keeps its version: ${code}: ${detail}`;

/** What a version is, in a line, and what policies say of it. */
export const versionLine = ({ version, nodes, renditions, state, findings }: Version): string => {
  const left = renditions.flatMap((rendition) => rendition.left_out);
  const reasons = [...new Set(left.map(({ reason }) => reason))].join('; ');
  const name = state === 'draft' ? `draft ${version}` : `version ${version}`;
  const line = `${name}: ${counted(nodes, 'node')}${left.length === 0 ? '' : `, ${left.length} left out (${reasons})`}`;
  return [line, ...findings.map(findingLine)].join('\n');
};
