import type { PathStep } from '@sbox/engines/sing-box/render';
import type { DestinationExplanation } from './explain-destination.ts';
import type { NodeExplanation } from './explain-node.ts';
import type { NodePlace } from './place-node.ts';

const maxListed = 12;

/** What both kinds of explanation say, as lines for a terminal. */
export function explainText(what: {
  readonly node?: NodeExplanation;
  /** Where the node is in a rendition: all groups that hold it, and the rules that lead there. */
  readonly place?: NodePlace;
  readonly route?: DestinationExplanation;
}): string[] {
  return [
    ...(what.node === undefined ? [] : nodeText(what.node, what.place)),
    ...(what.node === undefined || what.route === undefined ? [] : ['']),
    ...(what.route === undefined ? [] : routeText(what.route)),
  ];
}

function nodeText(node: NodeExplanation, place: NodePlace | undefined): string[] {
  const sources = node.sources.map(({ subscription, tag, line }) => {
    return `read from  ${subscription}${line === undefined ? '' : `, line ${line}`}, as "${tag}"`;
  });
  // What is done after the last operator has no number, and no operator of the recipe.
  const steps = node.steps.map(({ index, operator, what }) =>
    index < 0 ? `at the end ${what}` : `operator   ${index} ${operator}: ${what}`,
  );
  const country = node.country === undefined ? '' : `, ${node.country}`;
  return [
    `node       ${node.node_id} (${node.protocol}${country})`,
    ...sources,
    ...steps,
    ...endText(node, place),
    ...(node.is_partial ? ['           not every step is listed'] : []),
  ];
}

function endText(node: NodeExplanation, place: NodePlace | undefined): string[] {
  if (node.verdict === 'dropped') return ['dropped    it is not in the config'];
  if (typeof place?.left_out === 'string') return [`left out   ${place.left_out}`];
  const groups = place?.groups ?? node.groups;
  return [
    `kept       as "${place?.tag ?? node.tag ?? ''}"`,
    `groups     ${groups.length === 0 ? 'none' : groups.join(', ')}`,
    ...(place?.rules ?? []).slice(0, maxListed).map(({ index, text }) => `rule       ${index}: ${text}`),
  ];
}

const verdictWords: Readonly<Record<string, string>> = {
  proxy: 'goes through a proxy',
  direct: 'goes out directly',
  reject: 'is refused',
  dns: 'is answered by the DNS of the engine',
  mixed: 'goes through a proxy or directly, as the group chooses',
};

function routeText(route: DestinationExplanation): string[] {
  const { rule_index, rule_text, steps } = route;
  const taken = steps.find((step) => step.rule_index === rule_index);
  const verdict =
    route.broken === undefined ? (verdictWords[route.verdict ?? ''] ?? 'fails') : `fails: ${route.broken}`;
  return [
    `verdict    ${verdict}`,
    rule_index === null
      ? 'rule       none; it goes to the final outbound'
      : `rule       ${rule_index}: ${rule_text ?? ''}`,
    ...(taken === undefined ? [] : [`because    ${taken.why}`]),
    ...(route.path.length === 0 ? [] : [`way        ${route.path.map(stepText).join(' > ')}`]),
    ...(route.leaves.length < 2 ? [] : [`nodes      ${listText(route.leaves)}`]),
    ...route.unknown.map(
      ({ rule_index: index, facts }) =>
        `unknown    rule ${index} may take it: ${facts.join(', ')} would have to be known`,
    ),
    ...route.assumed.map((text) => `assumed    ${text}`),
    ...stepsText(route),
  ];
}

const hows: Readonly<Record<PathStep['how'], string>> = {
  rule: '',
  final: '',
  chosen: ' (chosen)',
  default: ' (its default)',
  first: ' (its first)',
  only: ' (its only one)',
  detour: ' (dialled through)',
};

const stepText = ({ tag, type, how, any_of }: PathStep): string =>
  `${tag}${hows[how]}${any_of === undefined ? '' : ` [${type}: the fastest of ${any_of.length}]`}`;

/** The rules before the one that took it. */
function stepsText({ steps, rule_index }: DestinationExplanation): string[] {
  const before = steps.filter((step) => step.rule_index !== rule_index);
  if (before.length === 0) return [];
  const shown = before.slice(-maxListed);
  const signs = { yes: '+', no: '-', unknown: '?' } as const;
  return [
    'before it  rules that were asked and did not take it',
    ...(shown.length < before.length ? [`           ${before.length - shown.length} more`] : []),
    ...shown.map(
      ({ rule_index: index, result, action, why }) => `           ${signs[result]} ${index} ${action}: ${why}`,
    ),
  ];
}

const listText = (tags: readonly string[]): string =>
  tags.length <= maxListed
    ? tags.join(', ')
    : `${tags.slice(0, maxListed).join(', ')} and ${tags.length - maxListed} more`;
