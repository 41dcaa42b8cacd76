import type { Json } from '@sbox/engines/sing-box/render';
import type { ObjectParamSpec, ParamSpec } from '@sbox/protocol/pipeline';

/** A parameter in a text; `$${` is no beginning of one. */
export const reference = /\$\$\{|\$\{([^}]*)\}/g;
/** A text that is nothing but one parameter. */
export const wholeReference = /^\$\{([^}]*)\}$/;

/** What is known of a name: the parameter, or the items of a list; nothing of other lists. */
export interface Known {
  readonly spec?: ParamSpec | ObjectParamSpec | undefined;
}

/** What `$each` calls its items. */
export const itemName = ({ $as }: Json): string => (typeof $as === 'string' ? $as : 'item');

/** What `$each` gives that name to. */
export function itemOf({ $each }: Json, names: ReadonlyMap<string, Known>): Known {
  const [, name = ''] = typeof $each === 'string' ? (wholeReference.exec($each) ?? []) : [];
  const spec = names.get(name)?.spec;
  return spec?.type === 'list' ? { spec: spec.items } : {};
}
