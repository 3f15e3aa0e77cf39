// An exit reason must reach the other node whatever it is, or a link there would never break. What cannot be encoded
// goes as text.
import { type Atom, atom } from '../term/atom.ts';
import { type Tuple, tuple } from '../term/tuple.ts';

const TEXT_MAX = 1000;

/** Runs `send` with the reason, or with a plain form of it where that throws. */
export function sendReason(reason: unknown, send: (reason: unknown) => void): void {
  try {
    send(reason);
  } catch (cause) {
    send(plainReason(reason, cause));
  }
}

/** `{not_encodable, Text}`. */
function plainReason(reason: unknown, cause: unknown): Tuple<readonly [Atom, string]> {
  return tuple(atom('not_encodable'), textOf(reason) ?? textOf(cause) ?? 'a reason without text');
}

function textOf(value: unknown): string | undefined {
  try {
    return String(value).slice(0, TEXT_MAX);
  } catch {
    // An object may forbid to be made text; the caller has another one.
    return undefined;
  }
}
