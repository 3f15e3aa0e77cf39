// The canonical key of a name: any term can be a name, and names are equal by value as an Erlang peer sees them.
// Bytes that are text equal the text, 1n equals 1, true equals the atom `true`, the order of map keys is irrelevant.
//
// Text and safe integers, nearly all names, are their own keys. Everything else is NUL and its canonical encoding, one
// character per byte; text that starts with NUL is encoded too, so that the two kinds never meet.
import { DGenError } from '../errors/error.ts';
import { BINARY } from './tags.ts';
import { isWellFormed, readText, utf8Bytes } from './utf8.ts';
import { TermWriter } from './writer.ts';

/** Bytes of the canonical encoding of a name. */
export const NAME_BYTES_MAX = 1024;
/** Levels of nesting in a name. */
export const NAME_DEPTH_MAX = 32;

/** Bytes before the text in the encoding of a string. */
const TEXT_HEAD_BYTES = 5;
const TEXT_ALWAYS_SHORT: number = Math.floor((NAME_BYTES_MAX - TEXT_HEAD_BYTES) / 3);

/**
 * The key of a name: equal for two terms when, and only when, `equals` holds for them. A string that does not start with
 * NUL and a safe integer are their own keys; any other key is a string that starts with NUL. Throws `bad_name` for what Erlang
 * cannot hold, for more than 1024 encoded bytes, and for more than 32 levels.
 */
export function termKey(term: unknown): string | number {
  if (typeof term === 'string') return textKey(term);
  if (typeof term === 'number' && Number.isSafeInteger(term) && !Object.is(term, -0)) return term;
  if (typeof term === 'bigint' && Number.isSafeInteger(Number(term))) return Number(term);
  return imageKey(term);
}

function textKey(text: string): string {
  if (text.charCodeAt(0) === 0) return imageKey(text);
  if (!isWellFormed(text)) throw badName('well-formed text', 'a string with a lone surrogate');
  if (text.length > TEXT_ALWAYS_SHORT) checkLength(text);
  return text;
}

function checkLength(text: string): void {
  const bytes = text.length > NAME_BYTES_MAX ? text.length : utf8Bytes(text).length;
  if (bytes + TEXT_HEAD_BYTES <= NAME_BYTES_MAX) return;
  throw badName(`text of at most ${NAME_BYTES_MAX - TEXT_HEAD_BYTES} bytes`, `${bytes} or more`);
}

function imageKey(term: unknown): string {
  const writer = idle.pop() ?? newWriter();
  let image: string;
  try {
    image = writer.image(term);
  } catch (cause) {
    throw nameError(cause);
  } finally {
    if (idle.length < IDLE_MAX) idle.push(writer);
  }
  return textOf(image) ?? `\0${image}`;
}

// A getter or proxy inside a name may ask for the key of another name.
const IDLE_MAX = 4;
const idle: TermWriter[] = [];

function newWriter(): TermWriter {
  const limits = { bytesMax: NAME_BYTES_MAX, depthMax: NAME_DEPTH_MAX, chunkBytes: 2 * NAME_BYTES_MAX };
  return new TermWriter({ canonical: true, ...limits });
}

/** The text in the image of a binary, where that text is its own key. */
function textOf(image: string): string | undefined {
  if (image.charCodeAt(0) !== BINARY) return undefined;
  const bytes = Uint8Array.from(image, (character) => character.charCodeAt(0));
  const text = readText(bytes, TEXT_HEAD_BYTES, bytes.length);
  return text !== undefined && text.charCodeAt(0) !== 0 ? text : undefined;
}

function nameError(cause: unknown): unknown {
  if (!(cause instanceof DGenError)) return cause;
  const { path } = cause.details;
  const got = cause.message.slice(cause.code.length + 2);
  const details = typeof path === 'string' ? { path } : {};
  return new DGenError('bad_name', 'the name', {
    expected: 'a term that Erlang can hold',
    got,
    details,
    cause,
  });
}

function badName(expected: string, got: string): DGenError {
  return new DGenError('bad_name', 'the name', { expected, got, details: { path: '' } });
}
