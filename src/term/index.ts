// The values that processes exchange, and their encoding.
export { Atom, atom } from './atom.ts';
export { type TermCodec, TermCodecs } from './codecs.ts';
export { equals } from './equals.ts';
export { decodeTerm, encodeTerm } from './external.ts';
export { type InspectOptions, inspect } from './inspect.ts';
export { NAME_BYTES_MAX, NAME_DEPTH_MAX, termKey } from './name-key.ts';
export { Pid } from './pid.ts';
export { TermReader } from './reader.ts';
export { Ref } from './ref.ts';
export type { Dialect } from './tags.ts';
export { Tuple, tuple } from './tuple.ts';
export {
  BitString,
  bitString,
  Float,
  Fun,
  float,
  ImproperList,
  improper,
  Port,
  Unregistered,
} from './values.ts';
export { TermWriter } from './writer.ts';
