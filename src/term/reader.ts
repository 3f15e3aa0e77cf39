// External term format to values, in bounded time and memory whatever the bytes are. All that can be wrong is a coded
// `bad_term` that says what was expected where. Nesting is limited; a list that is the tail of another list is joined
// without nesting, as Erlang takes it. Of two equal keys of a map the last one counts where both become properties.
import { type Atom, atom } from './atom.ts';
import type { TermCodecs } from './codecs.ts';
import { dateFrom } from './date-form.ts';
import { errorFrom } from './error-form.ts';
import { Pid } from './pid.ts';
import { ScalarReader, type ScalarReaderOptions } from './scalar-reader.ts';
import * as tags from './tags.ts';
import { Tuple } from './tuple.ts';
import { Fun, ImproperList, Unregistered } from './values.ts';

export interface ReaderOptions extends ScalarReaderOptions {
  /** Levels of nesting; default 256, at most 512. */
  readonly depthMax?: number;
  /** The classes that may come back; default none. */
  readonly codecs?: TermCodecs;
}

/** Levels inside an opaque function, counted apart: it is sent on at any depth. */
const FUN_DEPTH_MAX = 64;

const TRUE = atom('true');
const FALSE = atom('false');
const NULL = atom('nil');
const UNDEFINED = atom('undefined');

/** Reads terms one after the other: `reset`, then `term`, `tupleHeader`, `byte` ... as the protocol says, then `expectEnd`. Reusable after a throw. */
export class TermReader extends ScalarReader {
  private readonly depthMax: number;
  private readonly codecs: TermCodecs | undefined;
  private depth = 0;
  private inFun = false;

  constructor(options: ReaderOptions = {}) {
    super(options);
    this.depthMax = tags.checkedDepth(options.depthMax);
    this.codecs = options.codecs;
  }

  /** Reads one term that has no version byte. Throws `bad_term` with `details.offset`; the reader must then be `reset`. */
  term(): unknown {
    this.depth = 0;
    this.inFun = false;
    this.privateForms = this.dialect === 'typescript';
    return this.value();
  }

  /** Reads the version byte 131. Throws `bad_term` for another. */
  version(): void {
    const version = this.byte();
    if (version !== tags.VERSION) throw this.bad(`version ${tags.VERSION}`, `${version}`);
  }

  /** Reads the header of a tuple and returns its size; so many terms follow. */
  tupleHeader(): number {
    const tag = this.byte();
    if (tag === tags.SMALL_TUPLE) return this.byte();
    if (tag === tags.LARGE_TUPLE) return this.count(1);
    throw this.bad('a tuple', `tag ${tag}`);
  }

  private value(): unknown {
    const tag = this.byte();
    switch (tag) {
      case tags.SMALL_INTEGER:
        return this.byte();
      case tags.INTEGER:
        return this.int32();
      case tags.BINARY:
        return this.text(this.uint32());
      case tags.SMALL_ATOM_UTF8:
        return atomValue(this.atom(this.byte()));
      case tags.SMALL_TUPLE:
        return this.tuple(this.byte());
      case tags.LIST:
        return this.list(this.count(1));
      case tags.NIL:
        return [];
      case tags.MAP:
        return this.map(this.count(2));
      case tags.NEW_PID:
        return this.pid(true);
      case tags.NEWER_REFERENCE:
        return this.newerRef(true);
      case tags.NEW_FLOAT:
        return this.newFloat();
      case tags.SMALL_BIG:
        return this.big(this.byte(), false);
      case tags.LARGE_BIG:
        return this.big(this.uint32(), this.privateForms);
      case tags.BIT_BINARY:
        return this.bits();
      default:
        return this.privateForms && tag >= tags.PRIVATE_NUMBER ? this.privateForm(tag) : this.rare(tag);
    }
  }

  private rare(tag: number): unknown {
    switch (tag) {
      case tags.LARGE_TUPLE:
        return this.tuple(this.count(1));
      case tags.STRING:
        return this.bytesList();
      case tags.ATOM_UTF8:
        return atomValue(this.atom(this.uint16()));
      case tags.SMALL_ATOM:
        return atomValue(this.latin1Atom(this.byte()));
      case tags.ATOM:
        return atomValue(this.latin1Atom(this.uint16()));
      case tags.OLD_FLOAT:
        return this.oldFloat();
      case tags.OLD_PID:
        return this.pid(false);
      case tags.OLD_REFERENCE:
        return this.oldRef();
      case tags.NEW_REFERENCE:
        return this.newerRef(false);
      case tags.OLD_PORT:
      case tags.NEW_PORT:
      case tags.V4_PORT:
        return this.port(tag);
      case tags.NEW_FUN:
      case tags.EXPORT:
        return this.fun(tag);
      default:
        return this.unknownTag(tag);
    }
  }

  private privateForm(tag: number): unknown {
    switch (tag) {
      case tags.PRIVATE_NUMBER:
        return this.specialNumber();
      case tags.PRIVATE_STRING:
        return this.utf16();
      case tags.PRIVATE_MAP:
        return this.jsMap(this.count(2));
      case tags.PRIVATE_SET:
        return this.set(this.count(1));
      case tags.PRIVATE_DATE:
        return dateFrom(this.float64());
      case tags.PRIVATE_ERROR:
        return this.error();
      case tags.PRIVATE_CLASS:
        return this.instance();
      default:
        return this.unknownTag(tag);
    }
  }

  private unknownTag(tag: number): never {
    this.at--;
    if (tag === tags.COMPRESSED) throw this.bad('an uncompressed term', 'a compressed one');
    throw this.bad('the tag of a term', `tag ${tag}`);
  }

  private enter(): void {
    if (++this.depth > this.depthMax) throw this.bad(`at most ${this.depthMax} levels`, 'more');
  }

  private tuple(count: number): Tuple {
    this.enter();
    const elements = this.values(count);
    this.depth--;
    return new Tuple(elements);
  }

  /** The commonest sizes are written out: an array that grows by push takes room for many elements at the first. */
  private values(count: number): unknown[] {
    switch (count) {
      case 1:
        return [this.value()];
      case 2:
        return [this.value(), this.value()];
      case 3:
        return [this.value(), this.value(), this.value()];
      case 4:
        return [this.value(), this.value(), this.value(), this.value()];
      default: {
        const values: unknown[] = [];
        for (let index = 0; index < count; index++) values.push(this.value());
        return values;
      }
    }
  }

  private list(first: number): unknown {
    this.enter();
    const items = this.values(first);
    while (this.at < this.end && this.bytes[this.at] === tags.LIST) {
      this.at++;
      const count = this.count(1);
      for (let index = 0; index < count; index++) items.push(this.value());
    }
    const tail = this.value();
    this.depth--;
    if (Array.isArray(tail)) return joined(items, tail);
    return items.length === 0 ? tail : new ImproperList(items, tail);
  }

  private bytesList(): number[] {
    const count = this.uint16();
    this.need(count);
    const items: number[] = [];
    for (let index = 0; index < count; index++) items.push(this.bytes[this.at + index] as number);
    this.at += count;
    return items;
  }

  private map(count: number): Record<string, unknown> | Map<unknown, unknown> {
    this.enter();
    const object: Record<string, unknown> = {};
    for (let index = 0; index < count; index++) {
      const key = this.key();
      if (typeof key !== 'string') return this.mixedMap(object, key, count - index);
      const value = this.value();
      if (key === '__proto__') ownProperty(object, value);
      else object[key] = value;
    }
    this.depth--;
    return object;
  }

  /** A map in which the first key that is no text has just been read. */
  private mixedMap(object: Record<string, unknown>, firstKey: unknown, count: number): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>(Object.entries(object));
    map.set(firstKey, this.value());
    for (let index = 1; index < count; index++) {
      const key = this.key();
      map.set(key, this.value());
    }
    this.depth--;
    return map;
  }

  private key(): unknown {
    const tag = this.bytes[this.at];
    if (this.at < this.end && tag === tags.BINARY) {
      this.at++;
      return this.keyText(this.uint32());
    }
    if (this.at < this.end && tag === tags.NEW_FLOAT) {
      this.at++;
      return this.floatKey();
    }
    return this.value();
  }

  private jsMap(count: number): Map<unknown, unknown> {
    this.enter();
    const map = new Map<unknown, unknown>();
    for (let index = 0; index < count; index++) {
      const key = this.value();
      map.set(key, this.value());
    }
    this.depth--;
    return map;
  }

  private set(count: number): Set<unknown> {
    this.enter();
    const set = new Set<unknown>();
    for (let index = 0; index < count; index++) set.add(this.value());
    this.depth--;
    return set;
  }

  private error(): Error {
    const tag = this.byte();
    if (tag !== tags.MAP) throw this.bad('the fields of an error', `tag ${tag}`);
    return errorFrom(this.map(this.count(2)));
  }

  private instance(): unknown {
    this.enter();
    const type = this.value();
    if (typeof type !== 'string') throw this.bad('the type of an instance', typeof type);
    const data = this.value();
    this.depth--;
    const codec = this.codecs?.ofType(type);
    if (codec === undefined) return new Unregistered(type, data);
    try {
      return codec.decode(data);
    } catch (cause) {
      throw this.bad(`data of the class ${JSON.stringify(type)}`, 'a throw of its decoder', cause);
    }
  }

  /** Checks the form, so that sending the bytes on cannot harm, and keeps the bytes. */
  private fun(tag: number): Fun {
    const start = this.at - 1;
    const { depth, inFun, privateForms } = this;
    if (!inFun) this.depth = this.depthMax - Math.min(FUN_DEPTH_MAX, this.depthMax);
    this.inFun = true;
    // An Erlang function holds Erlang terms only, whoever passes it on.
    this.privateForms = false;
    if (tag === tags.EXPORT) this.exportParts();
    else this.funParts();
    this.privateForms = privateForms;
    this.inFun = inFun;
    this.depth = depth;
    return new Fun(new Uint8Array(this.bytes.subarray(start, this.at)));
  }

  private exportParts(): void {
    this.atomTerm();
    this.atomTerm();
    if (this.byte() !== tags.SMALL_INTEGER) throw this.bad('an arity', 'another term');
    this.byte();
  }

  private funParts(): void {
    const start = this.at;
    const size = this.uint32();
    this.need(1 + 16 + 4);
    this.at += 1 + 16 + 4;
    const free = this.count(1);
    this.enter();
    this.atomTerm();
    const integers = typeof this.value() === 'number' && typeof this.value() === 'number';
    if (!integers || !(this.value() instanceof Pid))
      throw this.bad('index, unique and pid of a function', 'others');
    for (let index = 0; index < free; index++) this.value();
    this.depth--;
    if (this.at - start !== size) throw this.bad(`a function of ${size} bytes`, `${this.at - start}`);
  }
}

function atomValue(value: Atom): unknown {
  if (value === TRUE) return true;
  if (value === FALSE) return false;
  if (value === NULL) return null;
  return value === UNDEFINED ? undefined : value;
}

function joined(items: unknown[], tail: readonly unknown[]): unknown[] {
  for (const item of tail) items.push(item);
  return items;
}

function ownProperty(object: Record<string, unknown>, value: unknown): void {
  Object.defineProperty(object, '__proto__', { value, writable: true, enumerable: true, configurable: true });
}
