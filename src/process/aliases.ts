// Aliases: addresses that their process can take back. What is sent to one after that goes nowhere.
import type { Ref } from '../term/ref.ts';
import type { ProcessRecord } from './record.ts';
import type { References } from './references.ts';

export class Aliases {
  readonly #references: References;
  readonly #records = new Map<number, ProcessRecord>();

  constructor(references: References) {
    this.#references = references;
  }

  get count(): number {
    return this.#records.size;
  }

  create(record: ProcessRecord): Ref {
    const number = this.#references.nextNumber();
    this.#records.set(number, record);
    record.aliases ??= new Set();
    record.aliases.add(number);
    return this.#references.refOf(number);
  }

  /** Does nothing unless the alias is one of this process. */
  remove(record: ProcessRecord, alias: Ref): void {
    const number = this.#references.numberOf(alias);
    if (number === undefined || record.aliases?.delete(number) !== true) return;
    this.#records.delete(number);
  }

  get(alias: Ref): ProcessRecord | undefined {
    const number = this.#references.numberOf(alias);
    return number === undefined ? undefined : this.#records.get(number);
  }

  bury(record: ProcessRecord): void {
    if (record.aliases === undefined) return;
    for (const number of record.aliases) this.#records.delete(number);
    record.aliases = undefined;
  }
}
