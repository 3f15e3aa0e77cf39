// Nanoseconds per operation of the term codec: a call as OTP sends it, a list of records, long text, and names.
// Run directly it prints a table; the median of several rounds is shown, because the machine is shared.
import { pathToFileURL } from 'node:url';
import {
  atom,
  encodeTerm,
  improper,
  Pid,
  Ref,
  TermReader,
  TermWriter,
  termKey,
  tuple,
} from '../src/term/index.ts';

export interface CodecResult {
  readonly name: string;
  readonly nanoseconds: number;
}

const node = atom('bench@127.0.0.1');
const pid = new Pid(node, 1234, 0, 7);
const call = tuple(atom('$gen_call'), tuple(pid, improper([atom('alias')], new Ref(node, 7, [1, 2, 3]))), {
  op: 'get',
  id: 42,
});
const records = Array.from({ length: 100 }, (_, id) => ({
  id,
  name: `customer ${id}`,
  active: true,
  score: id / 7,
}));
const terms = { call, records, 'text of 10,000 characters': 'abcdefghij'.repeat(1000) };

/** Runs every case for about `millisecondsEach`; default 200. */
export function benchCodec(millisecondsEach = 200): CodecResult[] {
  const results: CodecResult[] = [];
  for (const [name, term] of Object.entries(terms)) {
    results.push({ name: `encode ${name}`, nanoseconds: measure(encoding(term), millisecondsEach) });
    results.push({ name: `decode ${name}`, nanoseconds: measure(decoding(term), millisecondsEach) });
  }
  const names = { 'text name': 'customer/1234', 'tuple name': tuple(atom('customer'), 1234) };
  for (const [name, value] of Object.entries(names)) {
    results.push({
      name: `termKey of a ${name}`,
      nanoseconds: measure(() => termKey(value), millisecondsEach),
    });
  }
  return results;
}

function encoding(term: unknown): () => unknown {
  const writer = new TermWriter();
  return () => {
    writer.beginFrame();
    writer.term(term);
    writer.endFrame();
    return writer.bytesPending > 60_000 && writer.take();
  };
}

function decoding(term: unknown): () => unknown {
  const bytes = encodeTerm(term);
  const reader = new TermReader();
  return () => {
    reader.reset(bytes, 1);
    return reader.term();
  };
}

let sink: unknown;

function measure(run: () => unknown, milliseconds: number): number {
  const rounds = 5;
  const count = calibrate(run, milliseconds / rounds);
  const times = Array.from({ length: rounds }, () => timed(run, count) / count);
  return times.sort((left, right) => left - right)[rounds >> 1] as number;
}

function calibrate(run: () => unknown, milliseconds: number): number {
  timed(run, 2000);
  let count = 64;
  while (timed(run, count) < milliseconds * 1e6) count *= 2;
  return count;
}

function timed(run: () => unknown, count: number): number {
  const start = process.hrtime.bigint();
  for (let index = 0; index < count; index++) sink = run();
  return Number(process.hrtime.bigint() - start);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const { name, nanoseconds } of benchCodec()) {
    console.log(`${name.padEnd(36)} ${nanoseconds.toFixed(0).padStart(8)} ns`);
  }
  if (sink === process) console.log('');
}
