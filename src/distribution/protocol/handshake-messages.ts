// The five messages of the handshake as bytes. On TCP each has a 2-byte length before it. Nothing here knows an order:
// that is handshake.ts. What comes from the wire is checked here once; a message that is not exactly right is `bad_peer`.
import { DGenError } from '../../errors/error.ts';
import { decodeMarker, encodeMarker, type Marker } from './marker.ts';

/** Longest handshake message that is read; a full name of 255 characters needs 1,050 bytes at most. */
export const handshakeMessageBytesMax = 2048;

const digestBytes = 16;
const nameHeadBytes = 15;
const challengeHeadBytes = 19;

export interface NameMessage {
  readonly flags: bigint;
  readonly creation: number;
  readonly name: string;
  readonly marker: Marker | undefined;
}

export interface ChallengeMessage extends NameMessage {
  readonly challenge: number;
}

export interface ReplyMessage {
  readonly challenge: number;
  readonly digest: Uint8Array;
}

export type Md5 = (bytes: Uint8Array) => Uint8Array;

const utf8 = new TextEncoder();
const lenientUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export function encodeName(message: NameMessage): Uint8Array {
  const { bytes, view } = allocate(message, nameHeadBytes);
  view.setUint8(2, 0x4e);
  view.setBigUint64(3, message.flags);
  view.setUint32(11, message.creation);
  writeName(bytes, message, nameHeadBytes);
  return bytes;
}

export function encodeChallenge(message: ChallengeMessage): Uint8Array {
  const { bytes, view } = allocate(message, challengeHeadBytes);
  view.setUint8(2, 0x4e);
  view.setBigUint64(3, message.flags);
  view.setUint32(11, message.challenge);
  view.setUint32(15, message.creation);
  writeName(bytes, message, challengeHeadBytes);
  return bytes;
}

/** `s` and the text: a status, or the answer `true` or `false` to the status `alive`. */
export function encodeStatus(text: string): Uint8Array {
  const encoded = utf8.encode(text);
  const bytes = new Uint8Array(3 + encoded.length);
  new DataView(bytes.buffer).setUint16(0, 1 + encoded.length);
  bytes[2] = 0x73;
  bytes.set(encoded, 3);
  return bytes;
}

export function encodeReply(message: ReplyMessage): Uint8Array {
  const bytes = new Uint8Array(2 + 1 + 4 + digestBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, bytes.length - 2);
  view.setUint8(2, 0x72);
  view.setUint32(3, message.challenge);
  bytes.set(message.digest, 7);
  return bytes;
}

export function encodeAck(digest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 + 1 + digestBytes);
  bytes.set([0, bytes.length - 2, 0x61]);
  bytes.set(digest, 3);
  return bytes;
}

/** The decoders take a message without its length. */
export function decodeName(bytes: Uint8Array): NameMessage {
  const view = viewOf(bytes, { tag: 0x4e, bytesMin: nameHeadBytes - 2, what: 'name' });
  return {
    flags: view.getBigUint64(1),
    creation: view.getUint32(9),
    ...readName(bytes, nameHeadBytes - 2),
  };
}

export function decodeChallenge(bytes: Uint8Array): ChallengeMessage {
  const view = viewOf(bytes, { tag: 0x4e, bytesMin: challengeHeadBytes - 2, what: 'challenge' });
  return {
    flags: view.getBigUint64(1),
    challenge: view.getUint32(9),
    creation: view.getUint32(13),
    ...readName(bytes, challengeHeadBytes - 2),
  };
}

export function decodeStatus(bytes: Uint8Array): string {
  viewOf(bytes, { tag: 0x73, bytesMin: 2, what: 'status' });
  return textOf(bytes.subarray(1), 'status');
}

export function decodeReply(bytes: Uint8Array): ReplyMessage {
  const view = viewOf(bytes, { tag: 0x72, bytesMin: 5 + digestBytes, what: 'challenge reply' });
  return { challenge: view.getUint32(1), digest: bytes.slice(5, 5 + digestBytes) };
}

export function decodeAck(bytes: Uint8Array): Uint8Array {
  viewOf(bytes, { tag: 0x61, bytesMin: 1 + digestBytes, what: 'challenge acknowledgement' });
  return bytes.slice(1, 1 + digestBytes);
}

/** The proof of knowing the cookie: a digest of it and the other side's challenge in decimal. */
export function digestOf(md5: Md5, cookie: string, challenge: number): Uint8Array {
  return md5(utf8.encode(cookie + String(challenge)));
}

/** Compares in a time that does not depend on where the digests differ. */
export function isSameDigest(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let index = 0; index < left.length; index++) difference |= (left[index] ?? 0) ^ (right[index] ?? 0);
  return difference === 0;
}

/** `name@host`: one `@`, text on both sides of it, 255 characters at most. */
export function isNodeName(name: string): boolean {
  return name.length <= 255 && /^[^@\s]+@[^@\s]+$/.test(name);
}

function allocate(message: NameMessage, headBytes: number): { bytes: Uint8Array; view: DataView } {
  const nameBytes = utf8.encode(message.name).length;
  const trailBytes = message.marker === undefined ? 0 : encodeMarker(message.marker).length;
  const bytes = new Uint8Array(headBytes + 2 + nameBytes + trailBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, bytes.length - 2);
  view.setUint16(headBytes, nameBytes);
  return { bytes, view };
}

function writeName(bytes: Uint8Array, message: NameMessage, headBytes: number): void {
  const name = utf8.encode(message.name);
  bytes.set(name, headBytes + 2);
  if (message.marker !== undefined) bytes.set(encodeMarker(message.marker), headBytes + 2 + name.length);
}

function readName(bytes: Uint8Array, offset: number): { name: string; marker: Marker | undefined } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < offset + 2) throw broken('name', 'a name length');
  const end = offset + 2 + view.getUint16(offset);
  if (bytes.length < end) throw broken('name', 'as many bytes as the name is long');
  const name = textOf(bytes.subarray(offset + 2, end), 'name');
  if (!isNodeName(name)) throw broken('name', 'name@host');
  return { name, marker: decodeMarker(bytes.subarray(end)) };
}

interface MessageShape {
  readonly tag: number;
  readonly bytesMin: number;
  readonly what: string;
}

function viewOf(bytes: Uint8Array, { tag, bytesMin, what }: MessageShape): DataView {
  if (bytes.length < bytesMin || bytes[0] !== tag)
    throw broken(what, `at least ${bytesMin} bytes, tag ${tag}`);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function textOf(bytes: Uint8Array, what: string): string {
  const text = lenientUtf8.decode(bytes);
  // The replacement character stands where the bytes were no UTF-8. A name that holds one itself is refused with them.
  if (text.includes('\ufffd')) throw broken(what, 'UTF-8');
  return text;
}

function broken(what: string, expected: string): DGenError {
  return new DGenError('bad_peer', `malformed handshake ${what}`, { expected });
}
