// Terms with terms inside: lists, tuples, maps, sets. Every container is one level of depth, and adds its step to the
// path of a refusal that passes it. Counts are taken before the elements are written, and so are the elements of a Map
// or Set: a getter that changes the collection meanwhile cannot make the count wrong.
import { indexStep, keyStep, notEncodable, type Refusal, tooLarge, within } from './refusal.ts';
import { ScalarWriter, type ScalarWriterOptions } from './scalar-writer.ts';
import { sortEntries } from './span-sort.ts';
import * as tags from './tags.ts';
import type { ImproperList } from './values.ts';

export interface ContainerWriterOptions extends ScalarWriterOptions {
  /** Levels of nesting; default 256, at most 512. Beyond it: `term_too_large`. */
  readonly depthMax?: number;
}

export abstract class ContainerWriter extends ScalarWriter {
  protected readonly depthMax: number;
  protected depth = 0;

  constructor(options: ContainerWriterOptions) {
    super(options);
    this.depthMax = tags.checkedDepth(options.depthMax);
  }

  protected abstract value(value: unknown): void;

  /** Equal for two keys when, and only when, Erlang takes them for the same key. */
  protected abstract canonicalForm(key: unknown): string;

  /** Appends the header of a tuple of that many elements, to be followed by exactly so many terms. */
  tupleHeader(size: number): void {
    this.reserve(5);
    if (size < 256) {
      this.bytes[this.at++] = tags.SMALL_TUPLE;
      this.bytes[this.at++] = size;
    } else {
      this.bytes[this.at++] = tags.LARGE_TUPLE;
      this.uint32(size);
    }
  }

  protected enter(): void {
    if (++this.depth > this.depthMax) throw tooLarge(`at most ${this.depthMax} levels`, 'more, or a cycle');
  }

  protected list(items: readonly unknown[]): void {
    const count = items.length;
    if (count === 0) {
      this.byte(tags.NIL);
      return;
    }
    this.header(tags.LIST, count);
    this.items(items, count);
    this.byte(tags.NIL);
  }

  protected tuple(elements: readonly unknown[]): void {
    const count = elements.length;
    this.tupleHeader(count);
    this.items(elements, count);
  }

  protected improperList({ items, tail }: ImproperList): void {
    this.header(tags.LIST, items.length);
    this.items(items, items.length);
    const tailAt = this.at - this.frameStart;
    this.enter();
    try {
      this.value(tail);
      const tag = this.bytes[this.frameStart + tailAt];
      if (tag === tags.LIST || tag === tags.NIL) throw notEncodable('a tail that is no list', 'a list');
    } catch (thrown) {
      throw within(thrown, '.tail');
    }
    this.depth--;
  }

  protected plain(value: Record<string, unknown>): void {
    this.enter();
    if (this.canonical || isObjectPrototypeExtended()) this.keyed(value);
    else this.properties(value);
    this.depth--;
  }

  private keyed(value: Record<string, unknown>): void {
    const entries = Object.entries(value);
    this.header(tags.MAP, entries.length);
    if (this.canonical) this.sorted(entries);
    else for (const [key, item] of entries) this.entry(key, item);
  }

  /** By `for in`, which takes a third of the time of `Object.keys`; its count is known afterwards. */
  private properties(value: Record<string, unknown>): void {
    this.header(tags.MAP, 0);
    const countAt = this.at - 4 - this.frameStart;
    let count = 0;
    let key: string | undefined;
    try {
      for (key in value) {
        count++;
        this.string(key);
        this.value(value[key]);
      }
    } catch (thrown) {
      throw within(thrown, keyStep(key));
    }
    this.writeUint32(this.frameStart + countAt, count);
  }

  protected map(value: Map<unknown, unknown>): void {
    const entries = [...value];
    this.header(this.privateForms ? tags.PRIVATE_MAP : tags.MAP, entries.length);
    this.enter();
    if (this.canonical) {
      this.sorted(entries);
    } else {
      if (!this.privateForms) this.checkKeys(entries);
      for (const [key, item] of entries) this.entry(key, item);
    }
    this.depth--;
  }

  protected set(value: Set<unknown>): void {
    const items = [...value];
    if (!this.privateForms) {
      this.list(items);
      return;
    }
    this.header(tags.PRIVATE_SET, items.length);
    this.items(items, items.length);
  }

  private entry(key: unknown, value: unknown): void {
    try {
      this.value(key);
      this.value(value);
    } catch (thrown) {
      throw within(thrown, keyStep(key));
    }
  }

  private sorted(entries: ReadonlyArray<readonly [unknown, unknown]>): void {
    const marks: number[] = [];
    for (const [key, value] of entries) {
      try {
        marks.push(this.at - this.frameStart);
        this.value(key);
        marks.push(this.at - this.frameStart);
        this.value(value);
      } catch (thrown) {
        throw within(thrown, keyStep(key));
      }
    }
    marks.push(this.at - this.frameStart);
    const twin = sortEntries({ bytes: this.bytes.subarray(this.frameStart), marks });
    if (twin >= 0) throw within(duplicateKey(), keyStep(entries[twin]?.[0]));
  }

  // Strings and numbers are as different for Erlang as they are for a Map; other keys may be equal only there.
  private checkKeys(entries: ReadonlyArray<readonly [unknown, unknown]>): void {
    if (entries.every(([key]) => typeof key === 'string' || typeof key === 'number')) return;
    const seen = new Set<string>();
    for (const [key] of entries) {
      const form = this.formOf(key);
      if (seen.has(form)) throw within(duplicateKey(), keyStep(key));
      seen.add(form);
    }
  }

  private formOf(key: unknown): string {
    try {
      return this.canonicalForm(key);
    } catch (thrown) {
      throw within(thrown, keyStep(key));
    }
  }

  private items(items: readonly unknown[], count: number): void {
    this.enter();
    let index = 0;
    try {
      for (; index < count; index++) this.value(items[index]);
    } catch (thrown) {
      throw within(thrown, indexStep(index));
    }
    this.depth--;
  }

  private header(tag: number, count: number): void {
    this.reserve(5);
    this.bytes[this.at++] = tag;
    this.uint32(count);
  }
}

/** Whether `for in` over a plain object could meet what is not its own. */
function isObjectPrototypeExtended(): boolean {
  for (const _ in Object.prototype) return true;
  return false;
}

function duplicateKey(): Refusal {
  return notEncodable('keys that differ for the peer', 'equal keys');
}
