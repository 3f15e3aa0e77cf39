// A system outside of the cluster that the counters write to: it takes a write with the highest token that it has seen, or a
// higher one, and refuses all others. It is far away: a write that has left its node arrives whatever becomes of the node.
import type { FencingToken } from '../../registry/index.ts';
import type { Draw } from '../draw.ts';
import type { Life } from './life.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { Watch } from './watch.ts';

interface Cell {
  token: bigint;
  writer: string;
  value: number;
}

export interface Write {
  readonly name: string;
  readonly token: FencingToken;
  /** The pid that writes. */
  readonly writer: string;
  readonly value: number;
}

export interface WitnessOptions {
  readonly time: VirtualTime;
  readonly draw: Draw;
  readonly watch: Watch;
}

export class Witness {
  readonly #options: WitnessOptions;
  readonly #cells: Map<string, Cell> = new Map();
  refused = 0;

  constructor(options: WitnessOptions) {
    this.#options = options;
  }

  valueOf(name: string): number {
    return this.#cells.get(name)?.value ?? 0;
  }

  /** The value from here on, for the owner with that token: `undefined` when a later one was here. */
  open(life: Life, who: Omit<Write, 'value'>): Promise<number | undefined> {
    return this.#atWitness(life, () => {
      const cell = this.#admit(who);
      return cell?.value;
    });
  }

  /** False when a later owner was here. */
  write(life: Life, write: Write): Promise<boolean> {
    return this.#atWitness(life, () => {
      const cell = this.#admit(write);
      if (cell !== undefined) cell.value = write.value;
      return cell !== undefined;
    });
  }

  #admit({ name, token, writer }: Omit<Write, 'value'>): Cell | undefined {
    const cell = this.#cells.get(name) ?? { token: -1n, writer, value: 0 };
    this.#cells.set(name, cell);
    if (token.value < cell.token) {
      this.refused++;
      return undefined;
    }
    if (token.value === cell.token && writer !== cell.writer)
      this.#options.watch.broken('tokens', `${cell.writer} and ${writer} write to ${name} with one token`);
    cell.token = token.value;
    cell.writer = writer;
    return cell;
  }

  #atWitness<T>(life: Life, act: () => T): Promise<T> {
    const { time, draw } = this.#options;
    return new Promise((resolve) => {
      time.after(draw.between(100, 4000) / 1000, () => {
        const result = act();
        time.after(draw.between(100, 4000) / 1000, () => life.enter(() => resolve(result)));
      });
    });
  }
}
