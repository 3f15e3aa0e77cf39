// Where things lie in etcd. Under the prefix of the store there are three areas, apart from each other, so that the content is
// one interval in its own order:
//
//   PREFIX/k/KEY   the content
//   PREFIX/m/ID    markers of commits: the attempt in decimal, and a lease that removes them in time
//   PREFIX/g/…     guards, see `guards.ts`
import type { Bytes, KeyRange } from '../port.ts';

/** All keys that begin with some bytes: `end` is the first one after them. */
interface Area extends KeyRange {
  readonly begin: Bytes;
}

export class Layout {
  readonly content: Area;
  readonly markers: Area;
  readonly guards: Area;

  constructor(prefix: string) {
    this.content = area(`${prefix}/k/`);
    this.markers = area(`${prefix}/m/`);
    this.guards = area(`${prefix}/g/`);
  }

  key(key: Bytes): Bytes {
    return join(this.content.begin, key);
  }

  /** A copy of the key of the content that lies there. */
  keyAt(physical: Bytes): Bytes {
    return new Uint8Array(physical.subarray(this.content.begin.length));
  }

  /** As etcd names an interval. */
  range({ begin, end }: KeyRange): { readonly key: Bytes; readonly range_end: Bytes } {
    return { key: this.key(begin), range_end: this.key(end) };
  }

  marker(id: Bytes): Bytes {
    return join(this.markers.begin, id);
  }

  guard(name: string): Bytes {
    return join(this.guards.begin, Buffer.from(name));
  }
}

function area(text: string): Area {
  const begin = new Uint8Array(Buffer.from(text));
  const end = begin.slice();
  end[end.length - 1] = (end[end.length - 1] as number) + 1;
  return { begin, end };
}

function join(prefix: Bytes, rest: Bytes): Bytes {
  const joined = new Uint8Array(prefix.length + rest.length);
  joined.set(prefix);
  joined.set(rest, prefix.length);
  return joined;
}
