import { ProblemError, compareGenerations, type Clock, type Generation } from '@sbox/core';
import type { Manifest, Unit } from '@sbox/protocol';
import type { BlobSource, Order } from '../src/order.ts';
import { plainManifest, plainUnit } from '../test/plain-manifest.ts';
import type { Prng } from './prng.ts';
import { kinds, makeRendition, type Kind, type Rendition } from './renditions.ts';

export interface Wanted {
  readonly unit: string;
  readonly kind: Kind;
  /** Where it is not that of the unit. */
  readonly port?: number;
  /** Instead of what chance gives. */
  readonly more?: Partial<Unit>;
}

export interface Published {
  readonly order: Order;
  readonly wanted: readonly Wanted[];
  /** Whether anything stands against running it. */
  readonly isGood: boolean;
}

/** How content comes over the network. */
export type Transfer = 'whole' | 'failing' | 'cut' | 'wrong' | 'stuck';

/** Each unit has a port of its own; a rendition may also be told to use another one. */
export const renditionPorts: Readonly<Record<string, number>> = { edge: 1080, main: 1081 };

/** Publishes versions, hands out content, and is not always there. */
export class SimManager {
  isAway = false;
  transfer: Transfer = 'whole';
  epoch = 1;
  /** Of each unit. */
  readonly watchMs = 10_000;
  #serial = 0;
  readonly published: Published[] = [];
  readonly #renditions = new Map<string, Rendition>();
  readonly #random: Prng;

  constructor(random: Prng) {
    this.#random = random;
  }

  get newest(): Published | undefined {
    return this.published.at(-1);
  }

  isPublished(digest: string): boolean {
    return this.#renditions.has(digest);
  }

  /** A new version; `again` brings back what was published before. */
  publish(wanted: readonly Wanted[], more: Partial<Manifest> & { readonly again?: boolean } = {}): Published {
    const { again = false, ...keys } = more;
    const units = wanted.map((one) => this.#unit(one, again));
    const last = this.newest?.order.manifest;
    const generation = last?.epoch === this.epoch ? last.generation + 1 : 1;
    const published: Published = {
      wanted,
      isGood: wanted.every(({ kind }) => kinds[kind].isGood),
      order: {
        source: 'manager',
        manifest: plainManifest({ server_id: 'srv_sim', epoch: this.epoch, generation, units, ...keys }),
        blobs: { fetch: async () => await Promise.reject(new Error('nobody asks here')) },
      },
    };
    this.published.push(published);
    return published;
  }

  /** A version that somebody wrote on the server itself; it has no generation of its own. */
  write(wanted: readonly Wanted[]): Published {
    const published = this.publish(wanted);
    this.published.pop();
    const { order } = published;
    return { ...published, order: { ...order, source: 'local', manifest: { ...order.manifest, generation: 0 } } };
  }

  find(generation: Generation | null): Published | undefined {
    return generation === null
      ? undefined
      : this.published.find(({ order }) => compareGenerations(order.manifest, generation) === 0);
  }

  /** Content as one life of the agent gets it. */
  blobs(clock: Clock): BlobSource {
    return {
      fetch: async (digest, _maxBytes, signal) => {
        const { transfer } = this;
        await clock.sleep(this.#random.int(1, 400), signal);
        if (this.isAway || transfer === 'failing') throw new ProblemError('blob.fetch-failed', 'connection reset');
        if (transfer === 'stuck') await clock.sleep(86_400_000, signal);
        const bytes = this.#renditions.get(digest)?.bytes;
        if (bytes === undefined) throw new ProblemError('blob.not-found', digest);
        if (transfer === 'cut') return bytes.subarray(0, this.#random.int(0, bytes.length - 1));
        if (transfer === 'wrong') return Buffer.concat([bytes.subarray(1), Buffer.from('x')]);
        return bytes;
      },
    };
  }

  #unit({ unit: name, kind, port = renditionPorts[name] ?? 1090, more = {} }: Wanted, again: boolean): Unit {
    const known = [...this.#renditions.values()].filter((one) => one.kind === kind && one.port === port);
    const old = again && known.length > 0 ? this.#random.pick(known) : undefined;
    const rendition = old ?? makeRendition(kind, (this.#serial += 1), port);
    this.#renditions.set(rendition.digest, rendition);
    return plainUnit({
      name,
      config: { digest: rendition.digest, size: rendition.bytes.length, config_id: 'cfg_sim', version: this.#serial },
      reload: this.#random.pick(['auto', 'auto', 'in-place', 'restart']),
      trial: this.#random.chance(0.85),
      probe: { urls: ['http://192.0.2.9/'], expect: [204], need: 1, timeout_ms: 2000 },
      watch_ms: this.watchMs,
      ...more,
    });
  }
}
