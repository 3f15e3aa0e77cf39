// The local name table: text to process. A name ends with its process.
import { DGenError } from '../errors/error.ts';
import { atom } from '../term/atom.ts';
import type { ProcessRecord } from './record.ts';
import type { LocalName } from './types.ts';

export class Names {
  readonly #records = new Map<string, ProcessRecord>();

  get(name: LocalName): ProcessRecord | undefined {
    return this.#records.get(typeof name === 'string' ? name : name.name);
  }

  /** Throws `name_taken` when another process has it, `badarg` for what cannot be an atom. */
  register(name: LocalName, record: ProcessRecord): void {
    const text = textOf(name);
    const holder = this.#records.get(text);
    if (holder === record) return;
    if (holder !== undefined) {
      throw new DGenError('name_taken', `the name ${text} is taken`, {
        details: { name: text, pid: holder.pid },
      });
    }
    this.#records.set(text, record);
    record.names ??= new Set();
    record.names.add(text);
  }

  /** Throws `name_taken` where `register` would. */
  checkFree(name: LocalName): void {
    const text = textOf(name);
    const holder = this.#records.get(text);
    if (holder === undefined) return;
    throw new DGenError('name_taken', `the name ${text} is taken`, {
      details: { name: text, pid: holder.pid },
    });
  }

  unregister(name: LocalName): void {
    const text = textOf(name);
    const holder = this.#records.get(text);
    if (holder === undefined) {
      throw new DGenError('not_registered', `the name ${text} is not registered`, {
        details: { name: text },
      });
    }
    this.#records.delete(text);
    holder.names?.delete(text);
  }

  list(): string[] {
    return [...this.#records.keys()];
  }

  bury(record: ProcessRecord): void {
    if (record.names === undefined) return;
    for (const name of record.names) this.#records.delete(name);
    record.names = undefined;
  }
}

/** `undefined` is what Erlang's whereis answers for no process; it cannot be a name there either. */
function textOf(name: LocalName): string {
  const text = typeof name === 'string' ? name : name.name;
  if (text !== '' && text !== 'undefined') return atom(text).name;
  throw new DGenError('badarg', 'a local name', {
    expected: 'text other than "undefined"',
    got: `"${text}"`,
  });
}
