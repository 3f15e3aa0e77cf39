// What travels between `wire-server.ts` and `wire-backend.ts`: one message a line, bytes in hexadecimal.
import type { Bytes, Commit, KeyRange, RangeOptions } from '../../src/storage/index.ts';

export type Request = { readonly number: number } & (
  | { readonly type: 'ping' }
  | { readonly type: 'get'; readonly transaction: number; readonly key: Bytes }
  | {
      readonly type: 'range';
      readonly transaction: number;
      readonly range: KeyRange;
      readonly options: RangeOptions;
    }
  | WireCommit
  | { readonly type: 'end'; readonly transaction: number }
  | { readonly type: 'watch'; readonly watch: number; readonly range: KeyRange; readonly since: number }
  | { readonly type: 'cancel'; readonly watch: number }
);

export interface WireCommit {
  readonly type: 'commit';
  readonly transaction: number;
  readonly commit: Commit;
}

/** `version` counts the commits of the server. */
export type Answer = { readonly version: number } & (
  | { readonly number: number; readonly result: unknown }
  | { readonly number: number; readonly error: string }
  | { readonly fired: number }
);

export function encode(message: unknown): string {
  const text = JSON.stringify(message, (_, value: unknown) =>
    value instanceof Uint8Array ? { hex: Buffer.from(value).toString('hex') } : value,
  );
  return `${text}\n`;
}

export function decode(line: string): unknown {
  return JSON.parse(line, (_, value: unknown) => {
    const { hex } = (value ?? {}) as { hex?: unknown };
    return typeof hex === 'string' ? new Uint8Array(Buffer.from(hex, 'hex')) : value;
  });
}

/** Cuts a stream into lines. */
export class LineReader {
  readonly #line: (line: string) => void;
  #parts: Buffer[] = [];

  constructor(line: (line: string) => void) {
    this.#line = line;
  }

  read(chunk: Buffer): void {
    let begin = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, begin)) {
      const line = Buffer.concat([...this.#parts.splice(0), chunk.subarray(begin, end)]);
      begin = end + 1;
      this.#line(line.toString());
    }
    this.#parts.push(chunk.subarray(begin));
  }
}
