// Text to UTF-8 bytes and back. Short text goes through plain loops, because a call into the platform's coders costs
// more than forty characters of loop; long text goes through the platform. Unlike the platform's encoder nothing here
// replaces a lone surrogate silently, and unlike its decoder an invalid byte is an answer, not an exception.

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text up to this many code units is encoded by a loop: at most three bytes each. */
export const SHORT_TEXT_MAX = 40;
const SHORT_BYTES_MAX = 64;

/** False when the text holds a surrogate without its other half, which has no UTF-8 form. */
export function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

/** The text with every lone surrogate replaced. */
export function toWellFormed(text: string): string {
  return (text as string & { toWellFormed(): string }).toWellFormed();
}

/** Writes well-formed or short text; needs three bytes of room per code unit. Returns the end, or -1 at a lone surrogate. */
export function writeText(text: string, target: Uint8Array, start: number): number {
  let at = start;
  const length = text.length;
  for (let index = 0; index < length; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0x80) return writeWide(text, target, { at, index });
    target[at++] = unit;
  }
  return at;
}

function writeWide(text: string, target: Uint8Array, from: { at: number; index: number }): number {
  let { at, index } = from;
  for (; index < text.length; index++) {
    const point = text.codePointAt(index) as number;
    if (point >= 0xd800 && point <= 0xdfff) return -1;
    if (point > 0xffff) index++;
    at = writePoint(point, target, at);
  }
  return at;
}

function writePoint(point: number, target: Uint8Array, start: number): number {
  let at = start;
  if (point < 0x80) {
    target[at++] = point;
  } else if (point < 0x800) {
    target[at++] = 0xc0 | (point >> 6);
    target[at++] = 0x80 | (point & 0x3f);
  } else if (point < 0x10000) {
    target[at++] = 0xe0 | (point >> 12);
    target[at++] = 0x80 | ((point >> 6) & 0x3f);
    target[at++] = 0x80 | (point & 0x3f);
  } else {
    target[at++] = 0xf0 | (point >> 18);
    target[at++] = 0x80 | ((point >> 12) & 0x3f);
    target[at++] = 0x80 | ((point >> 6) & 0x3f);
    target[at++] = 0x80 | (point & 0x3f);
  }
  return at;
}

/** Writes as many whole characters as fit between `start` and the end of `target`. */
export function writeLongText(
  text: string,
  target: Uint8Array,
  start: number,
): { read: number; written: number } {
  return encoder.encodeInto(text, target.subarray(start));
}

/** The bytes of well-formed text. */
export function utf8Bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of those bytes, or undefined when they are not valid UTF-8. */
export function readText(bytes: Uint8Array, from: number, to: number): string | undefined {
  const length = to - from;
  if (length > SHORT_BYTES_MAX) return readLongText(bytes, from, to);
  for (let at = from; at < to; at++) {
    if ((bytes[at] as number) >= 0x80) return readWide(bytes, from, to);
  }
  return latin1(bytes, from, to);
}

function readLongText(bytes: Uint8Array, from: number, to: number): string | undefined {
  try {
    return decoder.decode(bytes.subarray(from, to));
  } catch {
    return undefined;
  }
}

function readWide(bytes: Uint8Array, from: number, to: number): string | undefined {
  let text = '';
  let at = from;
  while (at < to) {
    const size = sequenceSize(bytes[at] as number);
    if (size === 0 || at + size > to) return undefined;
    const point = readPoint(bytes, at, size);
    if (point < 0) return undefined;
    text += String.fromCodePoint(point);
    at += size;
  }
  return text;
}

function sequenceSize(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

const LEAST_POINT = [0, 0, 0x80, 0x800, 0x10000] as const;

/** The character at `at`, or -1 when its bytes are malformed, overlong, a surrogate or beyond Unicode. */
function readPoint(bytes: Uint8Array, at: number, size: number): number {
  const lead = bytes[at] as number;
  if (size === 1) return lead;
  let point = lead & (0x7f >> size);
  for (let index = 1; index < size; index++) {
    const byte = bytes[at + index] as number;
    if ((byte & 0xc0) !== 0x80) return -1;
    point = (point << 6) | (byte & 0x3f);
  }
  const valid =
    point >= (LEAST_POINT[size] as number) && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
  return valid ? point : -1;
}

const GROUP = 8;
const CALL_MAX = 4096;

/** One character per byte. */
export function latin1(bytes: Uint8Array, from: number, to: number): string {
  if (to - from > SHORT_BYTES_MAX) return longLatin1(bytes, from, to);
  let text = '';
  let at = from;
  for (; at + GROUP <= to; at += GROUP) text += eightCharacters(bytes, at);
  return at === to ? text : text + fewCharacters(bytes, at, to);
}

/** One to seven. A call for each character would leave a string for each. */
function fewCharacters(bytes: Uint8Array, from: number, to: number): string {
  const [one, two, three] = [bytes[from] as number, bytes[from + 1] as number, bytes[from + 2] as number];
  switch (to - from) {
    case 1:
      return String.fromCharCode(one);
    case 2:
      return String.fromCharCode(one, two);
    case 3:
      return String.fromCharCode(one, two, three);
    default: {
      let text = String.fromCharCode(one, two, three, bytes[from + 3] as number);
      for (let at = from + 4; at < to; at++) text += String.fromCharCode(bytes[at] as number);
      return text;
    }
  }
}

function eightCharacters(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(
    bytes[at] as number,
    bytes[at + 1] as number,
    bytes[at + 2] as number,
    bytes[at + 3] as number,
    bytes[at + 4] as number,
    bytes[at + 5] as number,
    bytes[at + 6] as number,
    bytes[at + 7] as number,
  );
}

function longLatin1(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at += CALL_MAX) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(at + CALL_MAX, to)));
  }
  return text;
}

/** That many code units of two bytes, the low one first. */
export function utf16(bytes: Uint8Array, from: number, count: number): string {
  let text = '';
  for (let done = 0; done < count; done += CALL_MAX) {
    const units = new Uint16Array(Math.min(CALL_MAX, count - done));
    for (let index = 0; index < units.length; index++) {
      const at = from + 2 * (done + index);
      units[index] = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
    }
    text += String.fromCharCode(...units);
  }
  return text;
}
