import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What a metric means to the outside, in one row. Names carry base units (`_seconds`, `_bytes`) and end in `_total` when they only grow. */
export interface MetricRow {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels?: readonly string[];
}
export type MetricTable = Readonly<Record<string, MetricRow>>;
type Labels = Readonly<Record<string, string>>;

export interface Metrics<T extends MetricTable> {
  add(name: keyof T & string, labels?: Labels, amount?: number): void;
  set(name: keyof T & string, value: number, labels?: Labels): void;
  observe(name: keyof T & string, value: number, labels?: Labels): void;
  /** Text format of Prometheus 0.0.4. */
  print(): Promise<string>;
}

const secondsBuckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** Metrics of a table. No default process metrics: their event-loop monitor costs half a percent of a core (measured). */
export function createMetrics<const T extends MetricTable>(table: T): Metrics<T> {
  const registry = new Registry();
  const made = new Map<string, Counter | Gauge | Histogram>(
    Object.entries(table).map(([name, { type, help, labels = [] }]) => {
      const shape = { name, help, labelNames: [...labels], registers: [registry] };
      if (type === 'counter') return [name, new Counter(shape)];
      if (type === 'gauge') return [name, new Gauge(shape)];
      return [name, new Histogram({ ...shape, buckets: secondsBuckets })];
    }),
  );
  return {
    add: (name, labels = {}, amount = 1) => (made.get(name) as Counter).inc(labels, amount),
    set: (name, value, labels = {}) => (made.get(name) as Gauge).set(labels, value),
    observe: (name, value, labels = {}) => (made.get(name) as Histogram).observe(labels, value),
    print: async () => await registry.metrics(),
  };
}
