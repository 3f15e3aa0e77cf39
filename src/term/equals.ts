// Equality of terms by value, as an Erlang peer sees them: what `termKey` decides by encoding, decided by comparing.
// First both sides are brought to what Erlang would have in their place (`true` is an atom, text in bytes is text, a
// Set is a list), then they are compared part by part. What Erlang cannot hold at all equals only itself.
import { DGenError } from '../errors/error.ts';
import { Atom, atom } from './atom.ts';
import { dateText, isDate } from './date-form.ts';
import { errorFields } from './error-form.ts';
import { Pid } from './pid.ts';
import { Ref } from './ref.ts';
import { DEPTH_MAX_DEFAULT } from './tags.ts';
import { Tuple } from './tuple.ts';
import { readText } from './utf8.ts';
import { BitString, Float, Fun, ImproperList, Port, Unregistered } from './values.ts';
import { TermWriter } from './writer.ts';

/** True when both are the same term for Erlang; NaN equals NaN. Throws `term_too_large` when it must look deeper than 256 levels, as in a cycle. */
export function equals(left: unknown, right: unknown): boolean {
  return same(left, right, 0);
}

const TRUE = atom('true');
const FALSE = atom('false');
const NULL = atom('nil');
const UNDEFINED = atom('undefined');

function same(left: unknown, right: unknown, depth: number): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left === 'string' && typeof right === 'string') return false;
  if (depth > DEPTH_MAX_DEFAULT) throw tooDeep();
  return sameForm(erlangForm(left), erlangForm(right), depth);
}

function sameForm(left: unknown, right: unknown, depth: number): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left)) return Array.isArray(right) && sameItems(left, right, depth);
  if (left instanceof Map) return right instanceof Map && sameEntries(left, right, depth);
  if (Object.getPrototypeOf(left) !== Object.getPrototypeOf(right)) return false;
  return sameInstance(left, right, depth);
}

function sameInstance(left: object, right: object, depth: number): boolean {
  if (left instanceof Tuple) return sameItems(left.elements, (right as Tuple).elements, depth);
  if (left instanceof Pid || left instanceof Ref) return left.equals(right);
  if (left instanceof Float) return Object.is(left.value, (right as Float).value);
  if (left instanceof Uint8Array) return sameBytes(left, right as Uint8Array);
  if (left instanceof ImproperList) return sameImproper(left, right as ImproperList, depth);
  if (left instanceof BitString) return sameBits(left, right as BitString);
  if (left instanceof Fun) return sameBytes(left.bytes, (right as Fun).bytes);
  if (left instanceof Port) return samePort(left, right as Port);
  return false;
}

/** The value that stands for the term: of two equal terms the forms have the same type. */
function erlangForm(value: unknown): unknown {
  switch (typeof value) {
    case 'boolean':
      return value ? TRUE : FALSE;
    case 'undefined':
      return UNDEFINED;
    case 'number':
      return isFloat(value) ? new Float(value) : value;
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    case 'object':
      return value === null ? NULL : objectForm(value);
    default:
      return value;
  }
}

function isFloat(value: number): boolean {
  return !Number.isSafeInteger(value) || Object.is(value, -0);
}

function objectForm(value: object): unknown {
  if (value instanceof Atom || value instanceof Tuple || Array.isArray(value)) return value;
  if (value instanceof Uint8Array) return bytesForm(value);
  if (value instanceof Set) return [...value];
  if (isDate(value)) return dateText(value) ?? value;
  if (value instanceof Error) return errorForm(value);
  if (value instanceof Unregistered) return erlangForm(value.data);
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? new Map(Object.entries(value)) : value;
}

function bytesForm(bytes: Uint8Array): string | Uint8Array {
  const text = readText(bytes, 0, bytes.length);
  return text ?? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function errorForm(error: Error): Map<string, unknown> {
  const fields = Object.entries(errorFields(error));
  return new Map(fields.filter(([, value]) => value !== undefined));
}

function sameItems(left: readonly unknown[], right: readonly unknown[], depth: number): boolean {
  const count = left.length;
  if (count !== right.length) return false;
  for (let index = 0; index < count; index++) {
    if (!same(left[index], right[index], depth + 1)) return false;
  }
  return true;
}

function sameImproper(left: ImproperList, right: ImproperList, depth: number): boolean {
  return sameItems(left.items, right.items, depth) && same(left.tail, right.tail, depth + 1);
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

function sameBits(left: BitString, right: BitString): boolean {
  return left.bitsInLast === right.bitsInLast && sameBytes(left.bytes, right.bytes);
}

function samePort(left: Port, right: Port): boolean {
  return left.id === right.id && left.creation === right.creation && left.node === right.node;
}

type Entries = Map<unknown, unknown>;

function sameEntries(left: Entries, right: Entries, depth: number): boolean {
  if (left.size !== right.size) return false;
  let index: Entries | undefined;
  for (const [key, value] of left) {
    let entries = right;
    let form = key;
    if (!isPlainKey(key) || !right.has(key)) {
      index ??= indexed(right);
      entries = index;
      form = keyForm(key);
    }
    if (!entries.has(form) || !same(value, entries.get(form), depth + 1)) return false;
  }
  return true;
}

function isPlainKey(key: unknown): boolean {
  return typeof key === 'string' || (typeof key === 'number' && Number.isSafeInteger(key));
}

function indexed(entries: Entries): Entries {
  return new Map([...entries].map(([key, value]) => [keyForm(key), value]));
}

/** One string per key; a key that Erlang cannot hold stands for itself. */
function keyForm(key: unknown): unknown {
  try {
    return new TermWriter({ canonical: true, chunkBytes: 256 }).image(key);
  } catch {
    return key;
  }
}

function tooDeep(): DGenError {
  return new DGenError('term_too_large', 'comparing two terms', {
    expected: `at most ${DEPTH_MAX_DEFAULT} levels`,
    got: 'more, or a cycle',
  });
}
