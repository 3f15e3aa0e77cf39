// Frames to signals. Everything a peer can get wrong becomes a coded error: `bad_peer` when the control tuple is not what
// the protocol knows, `bad_term` from the terms themselves. After an error the connection is of no further use, since
// a signal was lost.
import { DGenError } from '../../errors/error.ts';
import { Atom, atom } from '../../term/atom.ts';
import { Pid } from '../../term/pid.ts';
import { type ReaderOptions, TermReader } from '../../term/reader.ts';
import { Ref } from '../../term/ref.ts';
import { header, type IncomingControl, op, passThrough } from './control.ts';
import type { Capabilities } from './flags.ts';
import { Reassembly } from './fragments.ts';

const versionTag = 131;
/** Messages of one peer that may be under way in fragments; Erlang has one per sending process at most. */
const unfinishedMessagesMax = 256;
/** Elements of the longest control tuple, SPAWN_REQUEST_TT. */
const arityMax = 7;
/** Stands where the tuple has no element. */
const absent: unique symbol = Symbol('absent');
const fragmentHeadBytes = 2 + 8 + 8;

export interface ControlDecoderOptions extends ReaderOptions {
  readonly can: Capabilities;
  /** Bytes of unfinished fragmented messages. */
  readonly bytesMax: number;
}

export class ControlDecoder {
  readonly #reader: TermReader;
  readonly #headed: boolean;
  /** The elements of the control tuple at hand, in place of an array for each. */
  readonly #parts: unknown[] = new Array(arityMax).fill(absent);
  readonly #reassembly: Reassembly;

  constructor(options: ControlDecoderOptions) {
    this.#reader = new TermReader(options);
    this.#headed = options.can.distributionHeader;
    this.#reassembly = new Reassembly({ bytesMax: options.bytesMax, messagesMax: unfinishedMessagesMax });
  }

  /** The signal of one frame; `undefined` when the frame is a fragment and others are still to come. */
  read(bytes: Uint8Array, start: number, end: number): IncomingControl | undefined {
    const reader = this.#reader;
    if (this.#headed) return this.#readHeaded(bytes, start, end);
    if (bytes[start] !== passThrough)
      throw broken('the first byte of a frame', `${passThrough}`, bytes[start]);
    reader.reset(bytes, start + 1, end);
    reader.version();
    return this.#signal();
  }

  #readHeaded(bytes: Uint8Array, start: number, end: number): IncomingControl | undefined {
    if (bytes[start] !== versionTag) throw broken('the first byte of a frame', `${versionTag}`, bytes[start]);
    const kind = bytes[start + 1];
    if (kind === header.whole) return this.#afterAtoms(bytes, start + 2, end);
    if (kind !== header.firstFragment && kind !== header.nextFragment) {
      throw broken('the header of a frame', '68 to 70', kind);
    }
    const whole = this.#addFragment(bytes.subarray(start, end), kind === header.firstFragment);
    return whole === undefined ? undefined : this.#afterAtoms(whole, 0, whole.length);
  }

  #addFragment(frame: Uint8Array, first: boolean): Uint8Array | undefined {
    if (frame.length < fragmentHeadBytes) throw broken('a fragment', 'its head', frame.length);
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    return this.#reassembly.add({
      sequence: view.getBigUint64(2),
      remaining: view.getBigUint64(10),
      first,
      data: frame.subarray(fragmentHeadBytes),
    });
  }

  /** The list of cached atoms must be empty: this side never agrees to a cache. */
  #afterAtoms(bytes: Uint8Array, start: number, end: number): IncomingControl {
    if (bytes[start] !== 0 || start >= end) throw broken('the atom cache', 'no references', bytes[start]);
    this.#reader.reset(bytes, start + 1, end);
    return this.#signal();
  }

  #signal(): IncomingControl {
    const reader = this.#reader;
    const arity = reader.tupleHeader();
    if (arity < 1 || arity > arityMax) throw broken('a control message', `1 to ${arityMax} elements`, arity);
    const parts = this.#parts;
    for (let index = 0; index < arityMax; index++) parts[index] = index < arity ? reader.term() : absent;
    const control = this.#interpret(parts);
    reader.expectEnd();
    return control;
  }

  #interpret(parts: readonly unknown[]): IncomingControl {
    switch (parts[0]) {
      case op.sendSender:
      case op.sendSenderTraced:
        return { kind: 'send', from: pid(parts[1]), to: pid(parts[2]), message: this.#payload() };
      case op.send:
      case op.sendTraced:
        return { kind: 'send', from: undefined, to: pid(parts[2]), message: this.#payload() };
      case op.sendNamed:
      case op.sendNamedTraced:
        return { kind: 'send_named', from: pid(parts[1]), name: name(parts[3]), message: this.#payload() };
      case op.sendAlias:
      case op.sendAliasTraced:
        return { kind: 'send_alias', from: pid(parts[1]), alias: ref(parts[2]), message: this.#payload() };
      case op.monitor:
        return { kind: 'monitor', from: pid(parts[1]), to: pidOrName(parts[2]), ref: ref(parts[3]) };
      case op.demonitor:
        return { kind: 'demonitor', from: pid(parts[1]), to: pidOrName(parts[2]), ref: ref(parts[3]) };
      case op.link:
        return { kind: 'link', from: pid(parts[1]), to: pid(parts[2]) };
      case op.unlink:
        return { kind: 'unlink', from: pid(parts[1]), to: pid(parts[2]), id: 0 };
      case op.unlinkId:
        return { kind: 'unlink', id: unlinkId(parts[1]), from: pid(parts[2]), to: pid(parts[3]) };
      case op.unlinkIdAck:
        return { kind: 'unlink_ack', id: unlinkId(parts[1]), from: pid(parts[2]), to: pid(parts[3]) };
      default:
        return this.#interpretEnd(parts);
    }
  }

  /** Exits, monitors that fire, and what this side does not take part in. */
  #interpretEnd(parts: readonly unknown[]): IncomingControl {
    switch (parts[0]) {
      case op.exit:
      case op.exit2:
        return exit(parts, element(parts, 3));
      case op.exitTraced:
      case op.exit2Traced:
        return exit(parts, element(parts, 4));
      case op.payloadExit:
      case op.payloadExitTraced:
      case op.payloadExit2:
      case op.payloadExit2Traced:
        return exit(parts, this.#payload());
      case op.down:
        return down(parts, element(parts, 4));
      case op.payloadDown:
        return down(parts, this.#payload());
      case op.spawnRequest:
      case op.spawnRequestTraced:
        this.#payload();
        return { kind: 'spawn_request', request: ref(parts[1]), from: pid(parts[2]) };
      case op.groupLeader:
      case op.spawnReply:
      case op.spawnReplyTraced:
        return { kind: 'ignored' };
      default:
        throw broken('a control message', 'a known operation', parts[0]);
    }
  }

  #payload(): unknown {
    if (!this.#headed) this.#reader.version();
    return this.#reader.term();
  }
}

const exit2Operations: ReadonlySet<unknown> = new Set([
  op.exit2,
  op.exit2Traced,
  op.payloadExit2,
  op.payloadExit2Traced,
]);

function exit(parts: readonly unknown[], reason: unknown): IncomingControl {
  const kind = exit2Operations.has(parts[0]) ? 'exit2' : 'exit';
  return { kind, from: pid(parts[1]), to: pid(parts[2]), reason };
}

function down(parts: readonly unknown[], reason: unknown): IncomingControl {
  return { kind: 'down', from: pidOrName(parts[1]), to: pid(parts[2]), ref: ref(parts[3]), reason };
}

function element(parts: readonly unknown[], index: number): unknown {
  if (parts[index] === absent) throw broken('a control message', `${index + 1} elements`, 'fewer');
  return parts[index];
}

function pid(value: unknown): Pid {
  if (value instanceof Pid) return value;
  throw broken('a control message', 'a pid', value);
}

function ref(value: unknown): Ref {
  if (value instanceof Ref) return value;
  throw broken('a control message', 'a reference', value);
}

function pidOrName(value: unknown): Pid | Atom {
  return value instanceof Pid ? value : name(value);
}

/** Some atoms stand for JavaScript values; as names they are atoms again. */
function name(value: unknown): Atom {
  if (value instanceof Atom) return value;
  if (typeof value === 'boolean') return atom(String(value));
  if (value === null) return atom('nil');
  throw broken('a control message', 'a name', value);
}

/** Counters of a process: they do not outgrow exact numbers. */
function unlinkId(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  throw broken('an unlink signal', 'an id from 1 to 2^53-1', value);
}

function broken(what: string, expected: string, got: unknown): DGenError {
  const shown = typeof got === 'number' || typeof got === 'bigint' ? String(got) : typeof got;
  return new DGenError('bad_peer', what, { expected, got: shown });
}
