// Keys made of text. Each part is written as UTF-8 with a terminator that sorts below everything that may follow, so the
// order of keys is the order of their parts, part by part, by code point; and the keys that begin with some parts are
// one interval.
import { DGenError } from '../errors/error.ts';
import { concatBytes } from './bytes.ts';
import { type Bytes, type KeyRange, limits } from './port.ts';

// A zero inside a part is written 00 FF, the end of a part 00 01: no text may be mistaken for an end, and 00 01
// sorts below 00 FF and below any other byte of a longer part.
const zero = 0x00;
const escaped = 0xff;
const terminator = 0x01;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The key of these parts. Throws `store_invalid` for a part with a lone surrogate. `partsOf` is its inverse. */
export function keyOf(...parts: readonly string[]): Bytes {
  return concatBytes(...parts.map(encodePart));
}

/** All keys whose first parts are these; `keyOf(...parts)` itself is among them. Of no parts: every key of `keyOf`. */
export function prefixRange(...parts: readonly string[]): KeyRange {
  return rangeUnder(keyOf(...parts));
}

/** The parts of a key of `keyOf`. Throws `store_invalid` for other bytes. */
export function partsOf(key: Bytes): string[] {
  const parts: string[] = [];
  let part: number[] = [];
  for (let i = 0; i < key.length; i++) {
    const byte = key[i] as number;
    if (byte !== zero) {
      part.push(byte);
      continue;
    }
    i += 1;
    if (key[i] === terminator) {
      parts.push(decodePart(part));
      part = [];
    } else if (key[i] === escaped) part.push(zero);
    else throw malformed('parts of text');
  }
  if (part.length > 0) throw malformed('a terminated last part');
  return parts;
}

/** Every key. */
export function allKeys(): KeyRange {
  return { begin: new Uint8Array(0), end: aboveAllKeys() };
}

/** All keys that begin with the bytes of `prefix`, the prefix itself included. */
export function rangeUnder(prefix: Bytes): KeyRange {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length -= 1;
  if (length === 0) return { begin: prefix, end: aboveAllKeys() };
  const end = prefix.slice(0, length);
  end[length - 1] = (end[length - 1] as number) + 1;
  return { begin: prefix, end };
}

function aboveAllKeys(): Bytes {
  return new Uint8Array(limits.keyBytesMax + 1).fill(0xff);
}

function encodePart(part: string): Bytes {
  if (/\p{Surrogate}/u.test(part)) {
    throw new DGenError('store_invalid', 'key part', { expected: 'text without lone surrogates' });
  }
  const bytes: number[] = [];
  for (const byte of encoder.encode(part)) {
    bytes.push(byte);
    if (byte === zero) bytes.push(escaped);
  }
  bytes.push(zero, terminator);
  return Uint8Array.from(bytes);
}

function decodePart(bytes: readonly number[]): string {
  try {
    return decoder.decode(Uint8Array.from(bytes));
  } catch (error) {
    throw malformed('UTF-8', error);
  }
}

function malformed(expected: string, cause?: unknown): DGenError {
  return new DGenError('store_invalid', 'key', { expected, cause });
}
