// Who has which name, as the witness tells while the demo runs.
import { WitnessReader } from './witness.ts';

export interface Acquisition {
  readonly name: string;
  readonly node: string;
  readonly pid: number;
  readonly atUs: number;
}

export class Ownership {
  readonly #reader: WitnessReader;
  readonly #owners: Map<string, Acquisition> = new Map();
  readonly #acquisitions: Acquisition[] = [];

  constructor(path: string) {
    this.#reader = new WitnessReader(path);
  }

  update(): void {
    this.#reader.read(({ event, name, node, pid, atUs }) => {
      if (event === 'acquired') {
        const acquisition = { name, node, pid, atUs };
        this.#owners.set(name, acquisition);
        this.#acquisitions.push(acquisition);
      } else if (event === 'ended' && this.#owners.get(name)?.pid === pid) {
        this.#owners.delete(name);
      }
    });
  }

  /** The names whose last owner was in a process of the operating system and has not said that it ended. */
  namesOf(pid: number): string[] {
    return [...this.#owners.values()].filter((owner) => owner.pid === pid).map(({ name }) => name);
  }

  hasOwner(name: string): boolean {
    return this.#owners.has(name);
  }

  /** Acquisitions from a moment on, in the order in which they were witnessed. */
  since(atUs: number): Acquisition[] {
    return this.#acquisitions.filter((one) => one.atUs >= atUs);
  }

  close(): void {
    this.#reader.close();
  }
}
