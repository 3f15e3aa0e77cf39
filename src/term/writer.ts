// Values to external term format, straight into the chunk of a link. What a value becomes is decided by its type and,
// for objects, by exactly its prototype: a class instance is refused unless its class is registered, because its
// fields alone would not be it. `toJSON` is not consulted. Own enumerable string keys of a plain object travel;
// holes of an array are sent as undefined. Cycles end at the depth limit.
//
// Towards Erlang: Map and plain object become maps, Set a list, Date its ISO 8601 text, Error a map with the keys
// name, message, code, retryable, maybeExecuted, details, cause; a registered instance becomes its plain data. NaN,
// infinities and strings with lone surrogates are refused. Between TypeScript nodes everything comes back as it was.
import { DGenError } from '../errors/error.ts';
import { Atom } from './atom.ts';
import type { TermCodec, TermCodecs } from './codecs.ts';
import { ContainerWriter, type ContainerWriterOptions } from './container-writer.ts';
import { type DateValue, dateText, isDatePrototype } from './date-form.ts';
import { errorFields } from './error-form.ts';
import { inspect } from './inspect.ts';
import { Pid } from './pid.ts';
import { Ref } from './ref.ts';
import { notEncodable, refusalError } from './refusal.ts';
import * as tags from './tags.ts';
import { Tuple } from './tuple.ts';
import { latin1 } from './utf8.ts';
import { BitString, Float, Fun, ImproperList, Port, Unregistered } from './values.ts';

export interface WriterOptions extends ContainerWriterOptions {
  /** The classes that may travel; default none. */
  readonly codecs?: TermCodecs;
}

/** Errors within errors, as their cause or in their details; deeper ones are sent as text. */
const CAUSES_MAX = 8;

/** A part of an error, which is sent as its text where it cannot be encoded: the error must arrive. */
class Part {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }
}

/**
 * Writes terms into frames: `beginFrame`, any number of `byte`, `raw`, `tupleHeader`, `term`, ..., `endFrame`; then `take`.
 * A throw of `term` has taken the open frame back already.
 */
export class TermWriter extends ContainerWriter {
  private readonly codecs: TermCodecs | undefined;
  private readonly options: WriterOptions;
  private causes = 0;
  private keyWriter: TermWriter | undefined;

  constructor(options: WriterOptions = {}) {
    super(options);
    this.options = options;
    this.codecs = options.codecs;
  }

  /**
   * Appends one term, without version byte, to the open frame. Throws `not_encodable` (`details.path` leads to the offending
   * element) or `term_too_large`; then the frame is taken back and closed. Throws `badarg` when called by a getter or codec
   * of a term that is being written.
   */
  term(value: unknown): void {
    if (this.depth !== 0) throw new DGenError('badarg', 'a term is being written already');
    this.causes = 0;
    try {
      this.value(value);
      this.checkFrameSize();
    } catch (thrown) {
      this.depth = 0;
      this.abortFrame();
      throw refusalError(thrown);
    }
  }

  /** @internal The term's encoding, one character per byte; nothing is left in the writer. No frame may be open. */
  image(value: unknown): string {
    this.beginFrame();
    this.term(value);
    const text = latin1(this.bytes, this.at - this.frameBytes, this.at);
    this.abortFrame();
    return text;
  }

  protected override value(value: unknown): void {
    switch (typeof value) {
      case 'string':
        this.string(value);
        break;
      case 'number':
        this.number(value);
        break;
      case 'object':
        if (value === null) this.null();
        else this.object(value);
        break;
      case 'boolean':
        this.boolean(value);
        break;
      case 'undefined':
        this.undefined();
        break;
      case 'bigint':
        this.bigint(value);
        break;
      default:
        throw notEncodable('a term', typeof value);
    }
  }

  private object(value: object): void {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) this.plain(value as Record<string, unknown>);
    else if (prototype === Atom.prototype) this.atom(value as Atom);
    else if (prototype === Tuple.prototype) this.tuple((value as Tuple).elements);
    else if (Array.isArray(value)) this.list(value);
    else if (prototype === Pid.prototype) this.pid(value as Pid);
    else if (prototype === Ref.prototype) this.ref(value as Ref);
    else if (prototype === ImproperList.prototype) this.improperList(value as ImproperList);
    else if (value instanceof Uint8Array) this.binary(value);
    else this.instance(value, prototype);
  }

  private instance(value: object, prototype: unknown): void {
    const codec = this.codecs?.ofPrototype(prototype);
    if (codec !== undefined) this.registered(value, codec);
    else if (prototype === Map.prototype) this.map(value as Map<unknown, unknown>);
    else if (prototype === Set.prototype) this.set(value as Set<unknown>);
    else if (isDatePrototype(prototype)) this.date(value as DateValue);
    else if (prototype === Float.prototype) this.floatValue((value as Float).value);
    else if (prototype === BitString.prototype) this.bitString(value as BitString);
    else if (prototype === Port.prototype) this.port(value as Port);
    else if (prototype === Fun.prototype) this.raw((value as Fun).bytes);
    else if (prototype === Unregistered.prototype) this.unregistered(value as Unregistered);
    else if (prototype === Part.prototype) this.part((value as Part).value);
    else if (value instanceof Error) this.error(value);
    else
      throw notEncodable('a term', `${inspect(value, { charactersMax: 60 })}, whose class is not registered`);
  }

  private date(value: DateValue): void {
    if (this.privateForms) {
      this.reserve(9);
      this.bytes[this.at++] = tags.PRIVATE_DATE;
      this.float64(value.getTime());
    } else {
      const text = dateText(value);
      if (text === undefined) throw notEncodable('a date', 'an invalid date');
      this.string(text);
    }
  }

  private floatValue(value: number): void {
    if (Number.isFinite(value)) this.float(value);
    else this.number(value);
  }

  private registered(value: object, codec: TermCodec<object>): void {
    this.enter();
    this.typed(codec.type, codec.encode(value));
    this.depth--;
  }

  private unregistered({ type, data }: Unregistered): void {
    this.enter();
    this.typed(type, data);
    this.depth--;
  }

  private typed(type: string, data: unknown): void {
    if (this.privateForms) {
      this.byte(tags.PRIVATE_CLASS);
      this.string(type);
    }
    this.value(data);
  }

  private error(error: Error): void {
    const { cause, details, ...fields } = errorFields(error);
    if (this.privateForms) this.byte(tags.PRIVATE_ERROR);
    this.plain({
      ...fields,
      ...(details !== undefined && { details: new Part(details) }),
      ...(cause !== undefined && { cause: new Part(cause) }),
    });
  }

  private part(value: unknown): void {
    const start = this.at - this.frameStart;
    const depth = this.depth;
    try {
      if (++this.causes > CAUSES_MAX) this.string(inspect(value));
      else this.value(value);
    } catch (thrown) {
      if (thrown instanceof DGenError && thrown.code === 'term_too_large') throw thrown;
      this.at = this.frameStart + start;
      this.depth = depth;
      this.string(inspect(value));
    }
    this.causes--;
  }

  protected override canonicalForm(key: unknown): string {
    this.keyWriter ??= new TermWriter({ ...this.options, canonical: true, chunkBytes: 256 });
    return this.keyWriter.image(key);
  }
}
