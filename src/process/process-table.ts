// The living processes of a node by the id in their pid. Ids are 28 bits and start again when they run out, with the
// next serial; an id that a long-lived process still has is passed over. So the map's keys stay small integers.
import { DGenError } from '../errors/error.ts';
import type { Atom } from '../term/atom.ts';
import { Pid } from '../term/pid.ts';
import type { ProcessRecord } from './record.ts';

/** How many ids there are before they start again. */
export const IDS: number = 2 ** 28;
const SERIALS = 2 ** 32;

export class ProcessTable {
  readonly node: Atom;
  readonly creation: number;
  readonly #max: number;
  readonly #ids: number;
  readonly #records = new Map<number, ProcessRecord>();
  #nextId = 1;
  #serial = 0;

  constructor(node: Atom, creation: number, size: { readonly max: number; readonly ids: number }) {
    this.node = node;
    this.creation = creation;
    this.#max = Math.min(size.max, size.ids - 1);
    this.#ids = size.ids;
  }

  get size(): number {
    return this.#records.size;
  }

  /** A pid that nothing has had before. Throws `system_limit` when the table is full. */
  newPid(): Pid {
    if (this.#records.size >= this.#max) {
      throw new DGenError('system_limit', 'too many processes', { details: { processesMax: this.#max } });
    }
    while (this.#records.has(this.#nextId)) this.#step();
    const pid = new Pid(this.node, this.#nextId, this.#serial, this.creation);
    this.#step();
    return pid;
  }

  add(record: ProcessRecord): void {
    this.#records.set(record.pid.id, record);
  }

  delete(record: ProcessRecord): void {
    this.#records.delete(record.pid.id);
  }

  /** The living process of that pid; undefined for the dead, for other nodes and for other creations of this one. */
  get(pid: Pid): ProcessRecord | undefined {
    const record = this.#records.get(pid.id);
    if (record === undefined) return undefined;
    const own = record.pid;
    if (own === pid) return record;
    const same = own.serial === pid.serial && own.creation === pid.creation && own.node === pid.node;
    return same ? record : undefined;
  }

  isLocal(pid: Pid): boolean {
    return pid.node === this.node;
  }

  /** In order of start. */
  list(): ProcessRecord[] {
    return [...this.#records.values()];
  }

  #step(): void {
    this.#nextId += 1;
    if (this.#nextId < this.#ids) return;
    this.#nextId = 0;
    this.#serial = (this.#serial + 1) % SERIALS;
  }
}
