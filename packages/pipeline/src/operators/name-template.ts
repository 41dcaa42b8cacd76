import { countryName } from '../countries/country-names.ts';
import { countryFlag } from '../countries/flags.ts';
import { nodeFields } from '../query/node-fields.ts';
import { invalid } from '../regex.ts';
import type { PipedNode } from '../piped-node.ts';

/** Places of a node among those that an operator renames, from 1. */
export interface Counters {
  readonly index: number;
  readonly countryIndex: number;
}

/** Counts nodes, all and for each country. */
export function createCounters(): (piped: PipedNode) => Counters {
  const countries = new Map<string, number>();
  let index = 0;
  return ({ country = 'none' }) => {
    const countryIndex = (countries.get(country) ?? 0) + 1;
    countries.set(country, countryIndex);
    index += 1;
    return { index, countryIndex };
  };
}

interface Context {
  readonly name: string;
  readonly piped: PipedNode;
  readonly counters: Counters;
}

const variables: Readonly<Record<string, (context: Context) => string | number>> = {
  name: ({ name }) => name,
  flag: ({ piped }) => countryFlag(piped.country),
  country: ({ piped }) => piped.country ?? '',
  country_name: ({ piped }) => countryName(piped.country),
  protocol: ({ piped }) => piped.node.type,
  transport: ({ piped }) => nodeFields.transport.of(piped),
  security: ({ piped }) => nodeFields.security.of(piped),
  host: ({ piped }) => piped.node.server,
  port: ({ piped }) => piped.node.server_port,
  subscription: ({ piped }) => piped.subscription,
  label: ({ piped }) => piped.labels[0] ?? '',
  id: ({ piped }) => piped.node.id,
  index: ({ counters }) => counters.index,
  country_index: ({ counters }) => counters.countryIndex,
};

/**
 * Makes a function of `{flag} {country} {index:2}`. `{{` and `}}` are braces.
 * @throws ProblemError `pipeline.invalid` for variables that do not exist
 */
export function compileTemplate(template: string): (name: string, piped: PipedNode, counters: Counters) => string {
  const parts: ((context: Context) => string)[] = [];
  for (const [whole, name, digits] of template.matchAll(/\{\{|\}\}|\{([a-z_]*)(?::(\d))?\}|[^{}]+|[{}]/g)) {
    if (whole === '{{' || whole === '}}') parts.push(() => whole.charAt(0));
    else if (name !== undefined) parts.push(variable(name, Number(digits ?? 0)));
    else if (whole === '{' || whole === '}')
      throw invalid(`the template has a lone "${whole}"; write it twice for a brace`);
    else parts.push(() => whole);
  }
  return (name, piped, counters) => {
    const context = { name, piped, counters };
    return parts
      .map((part) => part(context))
      .join('')
      .replace(/ {2,}/g, ' ');
  };
}

function variable(name: string, digits: number): (context: Context) => string {
  const read = Object.hasOwn(variables, name) ? variables[name] : undefined;
  if (read === undefined)
    throw invalid(`"{${name}}" is not a variable; there are ${Object.keys(variables).join(', ')}`);
  return (context) => String(read(context)).padStart(digits, '0');
}
