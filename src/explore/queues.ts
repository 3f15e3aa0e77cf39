// The messages on links, each queue a number: pushing and taking the first are looked up.
import { Interner, IntList, PairTable } from './tables.ts';

export class Queues {
  readonly #queues: Interner<readonly number[]> = new Interner();
  readonly #pushed: PairTable = new PairTable();
  readonly #rest: IntList = new IntList();
  readonly empty: number = this.of([]);

  of(events: readonly number[]): number {
    return this.#queues.intern(events.join(), () => events);
  }

  get(queue: number): readonly number[] {
    return this.#queues.get(queue);
  }

  push(queue: number, event: number): number {
    const known = this.#pushed.get(queue, event);
    if (known >= 0) return known;
    const longer = this.of([...this.get(queue), event]);
    this.#pushed.set(queue, event, longer);
    return longer;
  }

  first(queue: number): number {
    return this.get(queue)[0] ?? 0;
  }

  rest(queue: number): number {
    const known = this.#rest.at(queue);
    if (known !== 0) return known;
    const shorter = this.of(this.get(queue).slice(1));
    this.#rest.put(queue, shorter);
    return shorter;
  }
}
