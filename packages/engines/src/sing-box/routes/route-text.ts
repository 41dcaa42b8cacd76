import { textsIn, type Json } from '../document.ts';
import type { Facts } from './route-facts.ts';
import type { Group, Truth } from './rule-conditions.ts';
import { plainText } from './rule-text.ts';
import { answersOf, factsMissing, ruleTruth, type AnsweredCondition, type CompiledRule } from './rule-evaluation.ts';

/** What a rule does, in a few words: `route to select`, `reject`, `sniff dns`. */
export function actionText(rule: Json): string {
  const action = typeof rule['action'] === 'string' && rule['action'] !== '' ? rule['action'] : 'route';
  if (action === 'route' || action === 'bypass') return `${action} to ${plainText(rule['outbound'])}`;
  return [action, ...textsIn(rule['sniffer'])].join(' ');
}

/** Why a rule took a connection, did not, or cannot be judged: one line. */
export function whyText(rule: CompiledRule, facts: Facts, truth: Truth): string {
  if (truth === 'unknown') return `cannot be said without: ${factsMissing(rule, facts).join(', ')}`;
  if (!rule.isInverted) return plainWhy(rule, facts, truth === 'yes');
  const inner = plainWhy({ ...rule, isInverted: false }, facts, truth === 'no');
  return `inverted: ${inner}`;
}

function plainWhy(rule: CompiledRule, facts: Facts, isHeld: boolean): string {
  if (rule.kind === 'logical') {
    const inner = rule.rules.map((one) => ({ one, truth: ruleTruth(one, facts) }));
    const telling = inner.filter(({ truth }) => (truth === 'yes') === isHeld);
    const texts = telling.map(({ one, truth }) => whyText(one, facts, truth));
    const isAll = isHeld === (rule.mode === 'and');
    return isAll ? texts.join(isHeld ? ' and ' : '; ') : (texts[0] ?? '');
  }
  const answers = answersOf(rule, facts);
  if (answers.length === 0) return 'it has no conditions';
  return isHeld ? heldText(answers) : failedText(answers, facts);
}

const heldText = (answers: readonly AnsweredCondition[]): string =>
  answers
    .filter(({ truth }) => truth === 'yes')
    .map(({ field, item }) => `${field} ${item ?? ''}`.trim())
    .join(', ');

/** The first group in which nothing fits. */
function failedText(answers: readonly AnsweredCondition[], facts: Facts): string {
  const alone = answers.find(({ group, field, truth }) => group === 'other' && field !== 'rule_set' && truth === 'no');
  if (alone !== undefined) return notIn(factText(alone, facts), [alone.field]);
  const byGroup = Map.groupBy(
    answers.filter(({ group, field }) => group !== 'other' || field === 'rule_set'),
    ({ group }) => group,
  );
  const sets = byGroup.get('other') ?? [];
  for (const [group, members] of byGroup) {
    if (group === 'other' || members.some(({ truth }) => truth !== 'no')) continue;
    return notIn(
      groupText(group, facts),
      [...members, ...sets].map(({ field }) => field),
    );
  }
  return notIn(
    groupText('address', facts),
    sets.map(({ field }) => field),
  );
}

const notIn = (what: string, fields: readonly string[]): string =>
  `no ${[...new Set(fields)].join(' or ')} fits ${what}`;

function groupText(group: Exclude<Group, 'other'>, facts: Facts): string {
  if (group === 'port') return `port ${facts.port}`;
  if (group === 'source_port') return `source port ${facts.source_port}`;
  if (group === 'source_address') return `source ${facts.source === undefined ? '?' : ipText(facts.source)}`;
  if (typeof facts.name === 'string') return facts.name;
  return facts.ip === null || facts.ip === undefined ? 'the destination' : ipText(facts.ip);
}

function factText({ field }: AnsweredCondition, facts: Facts): string {
  if (field === 'inbound') return `inbound ${facts.inbounds?.join(' or ') ?? '?'}`;
  if (field === 'protocol' && typeof facts.protocol !== 'string') return 'what is sniffed up to here (nothing)';
  if (field === 'auth_user' && facts.auth_user === '') return 'a connection without a user';
  const value: unknown = (facts as unknown as Json)[field];
  return value === null || value === undefined ? 'the destination' : plainText(value);
}

/** An address as people write it. */
function ipText({ family, value }: { family: 4 | 6; value: bigint }): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - index * 16)) & 0xff_ffn).toString(16));
  return groups.join(':').replace(/(?:^|:)0(?::0)+(?:$|:)/, '::');
}
