// Terms as text for logs and errors, in the manner of Elixir. The text is bounded in length and depth whatever the
// value is, and nothing that the value does (getters, proxies) makes it throw. It is for people: never parse it.
import { Atom } from './atom.ts';
import { dateText, isDate } from './date-form.ts';
import { Pid } from './pid.ts';
import { Ref } from './ref.ts';
import { Tuple } from './tuple.ts';
import { toWellFormed } from './utf8.ts';
import { BitString, Float, Fun, ImproperList, Port, Unregistered } from './values.ts';

export interface InspectOptions {
  /** Characters of the text; default 500. Longer text ends in `...`. */
  readonly charactersMax?: number;
  /** Levels shown; default 8. */
  readonly depthMax?: number;
}

/** The term as text of at most `charactersMax` characters. Never throws. */
export function inspect(term: unknown, options: InspectOptions = {}): string {
  const charactersMax = options.charactersMax ?? 500;
  const printer = new Printer(charactersMax, options.depthMax ?? 8);
  printer.print(term, 0);
  const { text } = printer;
  return text.length <= charactersMax
    ? toWellFormed(text)
    : `${toWellFormed(text.slice(0, Math.max(0, charactersMax - 3)))}...`;
}

const WORD = /^[a-z_][A-Za-z0-9_@]*[?!]?$/;

class Printer {
  text = '';
  private readonly charactersMax: number;
  private readonly depthMax: number;

  constructor(charactersMax: number, depthMax: number) {
    this.charactersMax = charactersMax;
    this.depthMax = depthMax;
  }

  print(value: unknown, depth: number): void {
    if (this.full()) return;
    const start = this.text.length;
    try {
      this.text += this.leaf(value) ?? '';
      if (this.text.length === start) this.container(value as object, depth);
    } catch {
      this.text = `${this.text.slice(0, start)}#Unprintable<>`;
    }
  }

  private full(): boolean {
    return this.text.length > this.charactersMax;
  }

  private leaf(value: unknown): string | undefined {
    switch (typeof value) {
      case 'string':
        return this.quote(value);
      case 'number':
        return Object.is(value, -0) ? '-0.0' : String(value);
      case 'bigint':
        return bigText(value);
      case 'function':
        return '#Function<>';
      case 'symbol':
        return '#Symbol<>';
      case 'object':
        return value === null ? 'nil' : this.opaque(value);
      default:
        return String(value);
    }
  }

  private quote(text: string): string {
    const shown = JSON.stringify(text.slice(0, this.charactersMax));
    return text.length > this.charactersMax ? `${shown}...` : shown;
  }

  private opaque(value: object): string | undefined {
    if (value instanceof Atom) return atomText(value.name);
    if (value instanceof Pid || value instanceof Ref) return value.toString();
    if (value instanceof Float) return floatText(value.value);
    if (value instanceof Port) return `#Port<${value.node.name}.${value.id}>`;
    if (value instanceof Fun) return '#Function<>';
    if (isDate(value)) return `#Date<${dateText(value) ?? 'invalid'}>`;
    if (value instanceof BitString) return `<<${this.byteText(value.bytes)}::${value.bitsInLast}>>`;
    if (value instanceof Uint8Array) return `<<${this.byteText(value)}>>`;
    if (value instanceof Error) return `#Error<${this.quote(`${value.name}: ${value.message}`)}>`;
    return undefined;
  }

  private byteText(bytes: Uint8Array): string {
    const room = Math.max(1, this.charactersMax >> 2);
    const shown = Array.prototype.join.call(bytes.subarray(0, room), ', ');
    return bytes.length > room ? `${shown}, ...` : shown;
  }

  private container(value: object, depth: number): void {
    if (depth >= this.depthMax) {
      this.text += '...';
    } else if (Array.isArray(value)) {
      this.sequence('[', value, depth).text += ']';
    } else if (value instanceof Tuple) {
      this.sequence('{', value.elements, depth).text += '}';
    } else if (value instanceof ImproperList) {
      this.sequence('[', value.items, depth).text += ' | ';
      this.print(value.tail, depth + 1);
      this.text += ']';
    } else if (value instanceof Set) {
      this.sequence('#Set<[', value, depth).text += ']>';
    } else if (value instanceof Map) {
      this.pairs('%{', value, depth);
    } else {
      this.record(value, depth);
    }
  }

  private record(value: object, depth: number): void {
    if (value instanceof Unregistered) {
      this.text += `#Unregistered<${this.quote(value.type)}>`;
      return;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    const plain = prototype === null || prototype === Object.prototype;
    const open = plain ? '%{' : `%${className(prototype)}{`;
    this.pairs(open, entries(value as Record<string, unknown>), depth);
  }

  private sequence(open: string, items: Iterable<unknown>, depth: number): this {
    this.text += open;
    let separator = '';
    for (const item of items) {
      if (this.full()) break;
      this.text += separator;
      this.print(item, depth + 1);
      separator = ', ';
    }
    return this;
  }

  private pairs(open: string, items: Iterable<readonly [unknown, unknown]>, depth: number): void {
    this.text += open;
    let separator = '';
    for (const [key, value] of items) {
      if (this.full()) break;
      this.text += separator;
      this.print(key, depth + 1);
      this.text += ' => ';
      this.print(value, depth + 1);
      separator = ', ';
    }
    this.text += '}';
  }
}

function* entries(value: Record<string, unknown>): Iterable<readonly [string, unknown]> {
  for (const key of Object.keys(value)) yield [key, value[key]];
}

function atomText(name: string): string {
  return WORD.test(name) ? `:${name}` : `:${JSON.stringify(name)}`;
}

function floatText(value: number): string {
  const text = Object.is(value, -0) ? '-0' : String(value);
  return /[.e]/.test(text) ? toWellFormed(text) : `${text}.0`;
}

const BIG_SHOWN = 10n ** 40n;

// Decimal digits of a huge number take quadratic time, so only its size is told.
function bigText(value: bigint): string {
  return value < BIG_SHOWN && value > -BIG_SHOWN ? String(value) : '#Integer<more than 40 digits>';
}

function className(prototype: unknown): string {
  const name = (prototype as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof name === 'string' ? name.slice(0, 60) : '';
}
