import type { OperatorClient } from '../connection.ts';

/** What a file says about one thing, and what is compared: nothing that the manager makes by itself. */
export type Value = Readonly<Record<string, unknown>>;

/** A thing as the manager has it. */
export interface Stored {
  readonly id: string;
  /** For `If-Match`; null for what comes with sbox and cannot be changed. */
  readonly revision: number | null;
  readonly value: Value;
  /** Comes with sbox and can be changed, but neither made nor removed. */
  readonly isBuiltIn?: boolean;
}

/** A thing that another one names. */
export interface Reference {
  readonly kind: string;
  readonly name: string;
  readonly path: readonly (string | number)[];
}

/** A place of a value that cannot be as it is. */
export interface Fault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** What is sent, what is there now, the templates as they will be, and the keys of settings that the manager knows. */
export interface Sides {
  readonly value: Value;
  readonly before: Value | undefined;
  readonly templates: readonly Value[];
  readonly keys: () => Promise<readonly string[]>;
}

export interface Target {
  readonly id: string;
  readonly headers: { readonly 'if-match': string };
  readonly isBuiltIn?: boolean;
}

export interface Schema {
  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: unknown }
    | { readonly success: false; readonly error: { readonly issues: readonly unknown[] } };
}

/** Everything that files have to know about one kind of thing. */
export interface Kind {
  /** One of them, as in commands. */
  readonly name: string;
  readonly folder: string;
  /** The field that tells one from another; its value gives the file its name. */
  readonly key: string;
  /** What may stand in a file: what the manager takes to make one. */
  readonly schema: Schema;
  /** Fields that stay as they were made. */
  readonly fixed?: readonly string[];
  /** Fields with secrets: the manager takes each of them as it was shown, or whole. */
  readonly secrets: readonly string[];
  /** No two of them may mean the same, and nothing needs them: old ones go before new ones come. */
  readonly isRemovedFirst?: true;
  list(client: OperatorClient): Promise<readonly Stored[]>;
  /** The same one with its secrets; kinds without secrets have none. */
  reveal?(client: OperatorClient, id: string): Promise<Stored>;
  create(client: OperatorClient, value: Value): Promise<unknown>;
  replace(client: OperatorClient, target: Target, value: Value): Promise<unknown>;
  remove(client: OperatorClient, target: Target): Promise<unknown>;
  /** Of several ways to write the same, the one that the manager has. */
  normalise?(value: Value): Value;
  /** What may be printed of a value; `shown` is what the manager shows of the one it has. */
  hide?(value: Value, shown: Value | undefined): unknown;
  /** What has to be there before it. */
  references?(value: Value): readonly Reference[];
  /** What the manager would refuse, though every field is as the schema wants it. */
  check?(client: OperatorClient, sides: Sides): Promise<readonly Fault[]>;
  /** Makes what servers run from what was written. */
  generate?(client: OperatorClient, id: string, message: string): Promise<unknown>;
}

type View = Readonly<Record<string, unknown>>;

/** The names of a schema's fields, in their order. */
const fieldsOf = (schema: unknown): readonly string[] =>
  Object.keys((schema as { _zod: { def: { shape: object } } })._zod.def.shape);

/** A view without what the manager adds to it, with the fields in the order of the schema. */
function valueOf(schema: Schema, view: View): Value {
  const value = Object.fromEntries(
    fieldsOf(schema).flatMap((field) =>
      view[field] === undefined || view[field] === null ? [] : [[field, view[field]]],
    ),
  );
  const parsed = schema.safeParse(value);
  return parsed.success ? (parsed.data as Value) : value;
}

export const stored = (schema: Schema, view: View, more: View = {}): Stored => ({
  id: String(more['id'] ?? view['id'] ?? view['name']),
  revision: typeof view['revision'] === 'number' ? view['revision'] : null,
  value: valueOf(schema, { ...view, ...more }),
});
