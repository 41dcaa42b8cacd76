/** A row of a table by a key from outside: `constructor` is a key like any other. */
export const lookUp = <Row>(table: Readonly<Record<string, Row>>, key: string): Row | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;
