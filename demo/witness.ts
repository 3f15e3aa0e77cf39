// The witness: one append-only file that all processes of the demo write to, and that knows nothing of the registry. It
// plays the outside system that a fencing token guards. The kernel puts the lines in one order, for everybody the same;
// in that order a line counts unless a line before it has a larger token for the same name. Whoever has appended a line
// reads back what came before it, and so knows the verdict that every other reader will come to.
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { compareTokens } from '../src/index.ts';

export interface Token {
  readonly epoch: number;
  readonly n: number;
}

/**
 * Of servers: `acquired` (it has the name, and its token), `served` (it answers a call), `ended` (its process is no more).
 * Of whoever runs the demo, about a whole process: `killing` and `thawing` come before the signal, `frozen` after it.
 */
const events = ['acquired', 'served', 'ended', 'killing', 'frozen', 'thawing'] as const;
export type WitnessEvent = (typeof events)[number];

export interface WitnessRecord {
  /** Microseconds of the machine's monotonic clock, which all processes share. For timings only: the order is the file's. */
  readonly atUs: number;
  readonly node: string;
  /** Of the operating system. */
  readonly pid: number;
  /** Counts the lines of one writer from 1; 0 where somebody writes about another process. */
  readonly seq: number;
  readonly token: Token;
  readonly event: WitnessEvent;
  readonly name: string;
}

/** Microseconds of the machine's monotonic clock. */
export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** A divisor of the page size: no line crosses a page, so a process that is killed while it writes leaves no half line. */
const lineBytes = 128;
const widths = [16, 16, 8, 9, 6, 10, 9] as const;
const nameBytesMax = lineBytes - 1 - widths.reduce((sum, width) => sum + width + 1, 0);

export function encodeRecord(record: WitnessRecord): string {
  const { atUs, node, pid, seq, token, event, name } = record;
  const fields = [atUs, node, pid, seq, token.epoch, token.n, event].map(String);
  if (fields.some((field, index) => field.length > (widths[index] ?? 0)) || name.length > nameBytesMax)
    throw new Error(`does not fit a line of the witness: ${fields.join(' ')} ${name}`);
  const columns = fields.map((field, index) => field.padStart(widths[index] ?? 0));
  return `${[...columns, name].join(' ').padEnd(lineBytes - 1)}\n`;
}

const pattern = /^ *(\d+) +(\S+) +(\d+) +(\d+) +(\d+) +(\d+) +([a-z]+) (\S+) *$/;

/** Undefined for a line that no writer of ours has written. */
export function decodeRecord(line: string): WitnessRecord | undefined {
  const [whole, atUs, node = '', pid, seq, epoch, n, word, name = ''] = pattern.exec(line) ?? [];
  const event = events.find((one) => one === word);
  if (whole === undefined || event === undefined) return undefined;
  const token = { epoch: Number(epoch), n: Number(n) };
  return { atUs: Number(atUs), node, pid: Number(pid), seq: Number(seq), token, event, name };
}

/** Reads a witness that others go on writing. */
export class WitnessReader {
  readonly #fd: number;
  readonly #chunk: Buffer = Buffer.alloc(512 * lineBytes);
  #position = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'a+');
  }

  /** The lines that were added since the last call, in order. A damaged one throws: nothing can be concluded then. */
  read(take: (record: WitnessRecord) => void): void {
    for (;;) {
      const bytes = readSync(this.#fd, this.#chunk, 0, this.#chunk.length, this.#position);
      const whole = bytes - (bytes % lineBytes);
      for (let at = 0; at < whole; at += lineBytes) {
        const line = this.#chunk.toString('latin1', at, at + lineBytes - 1);
        const record = decodeRecord(line);
        if (record === undefined) throw new Error(`the witness is damaged: "${line}"`);
        take(record);
      }
      this.#position += whole;
      if (bytes < this.#chunk.length) return;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** The witness as one process writes it. */
export class Witness {
  readonly #node: string;
  readonly #fd: number;
  readonly #reader: WitnessReader;
  readonly #highest: Map<string, Token> = new Map();
  #seq = 0;

  constructor(path: string, node: string) {
    this.#node = node;
    this.#fd = openSync(path, 'a');
    this.#reader = new WitnessReader(path);
  }

  /** Appends a line, for good. False when a line before it has a larger token for the name: then it does not count, and nothing may follow from it. */
  append(event: 'acquired' | 'served' | 'ended', name: string, token: Token): boolean {
    const { pid } = process;
    this.#seq += 1;
    const seq = this.#seq;
    writeLine(this.#fd, { atUs: nowUs(), node: this.#node, pid, seq, token, event, name });
    let counts = true;
    this.#reader.read((record) => {
      const mine = record.seq === seq && record.pid === pid;
      if (!this.#raise(record) && mine) counts = false;
    });
    return counts;
  }

  #raise({ event, name, token }: WitnessRecord): boolean {
    if (event !== 'acquired' && event !== 'served') return true;
    const highest = this.#highest.get(name);
    if (highest !== undefined && compareTokens(token, highest) < 0) return false;
    this.#highest.set(name, token);
    return true;
  }

  close(): void {
    closeSync(this.#fd);
    this.#reader.close();
  }
}

/** What whoever runs the demo has to say about a process. */
export class Chronicle {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openSync(path, 'a');
  }

  note(
    event: 'killing' | 'frozen' | 'thawing',
    subject: { readonly node: string; readonly pid: number },
  ): number {
    const atUs = nowUs();
    const token = { epoch: 0, n: 0 };
    writeLine(this.#fd, { atUs, ...subject, seq: 0, token, event, name: '-' });
    return atUs;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function writeLine(fd: number, record: WitnessRecord): void {
  const written = writeSync(fd, encodeRecord(record), null, 'latin1');
  if (written !== lineBytes) throw new Error(`the witness took ${written} bytes of a line of ${lineBytes}`);
}
