// One term by itself, with the version byte in front: what Erlang's term_to_binary and binary_to_term do.
import { type ReaderOptions, TermReader } from './reader.ts';
import { VERSION } from './tags.ts';
import { TermWriter, type WriterOptions } from './writer.ts';

/** The term as bytes of its own, version byte first. Throws `not_encodable` (`details.path`) or `term_too_large`. */
export function encodeTerm(value: unknown, options: Omit<WriterOptions, 'chunkBytes'> = {}): Uint8Array {
  const writer = new TermWriter({ ...options, chunkBytes: 256 });
  writer.beginFrame();
  writer.byte(VERSION);
  writer.term(value);
  return writer.cutFrame().slice();
}

/** The value of exactly those bytes. Throws `bad_term` with `details.offset`. */
export function decodeTerm(bytes: Uint8Array, options: ReaderOptions = {}): unknown {
  const reader = new TermReader(options);
  reader.reset(bytes);
  reader.version();
  const value = reader.term();
  reader.expectEnd();
  return value;
}
