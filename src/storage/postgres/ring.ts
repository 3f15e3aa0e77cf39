// What a notification says: `VERSION:KEY,KEY` with the keys that the version changed, in base64; or `VERSION` alone when
// they are too many, or forgotten already, and whoever watches has to look.
import type { Bytes } from '../port.ts';

export interface Ring {
  readonly version: number;
  /** Undefined: not told. */
  readonly keys: readonly Bytes[] | undefined;
}

/** Undefined for a text of another form. */
export function ringOf(payload: string): Ring | undefined {
  const [, version = '', told] = /^(\d{1,16})(?::([A-Za-z0-9+/=,\s]*))?$/.exec(payload) ?? [];
  if (version === '') return undefined;
  const keys = told?.split(',').filter((key) => key !== '');
  return {
    version: Number(version),
    keys: keys?.map((key) => new Uint8Array(Buffer.from(key, 'base64'))),
  };
}
