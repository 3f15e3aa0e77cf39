// Signals to frames, written straight into the buffer of the connection. Every call costs a frame's worth of time
// somewhere, so the heads are ready-made and nothing is allocated.
import { type Atom, atom } from '../../term/atom.ts';
import { Pid } from '../../term/pid.ts';
import { Refusal, refusalError } from '../../term/refusal.ts';
import type { TermWriter } from '../../term/writer.ts';
import {
  type DownControl,
  type ExitControl,
  header,
  type MonitorControl,
  type OutgoingControl,
  op,
  passThrough,
  type SendAliasControl,
  type SendControl,
  type SendNamedControl,
  type SpawnReplyControl,
  type UnlinkControl,
} from './control.ts';
import type { Capabilities } from './flags.ts';

const versionTag = 131;
const smallTupleTag = 104;
const smallIntegerTag = 97;

/** The unused cookie in the send signals. */
const noCookie = atom('');

/** A payload that was encoded before, without version byte: it is copied as it is. */
export class EncodedPayload {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** Writes signals in the forms that one peer understands. */
export class ControlEncoder {
  readonly #writer: TermWriter;
  readonly #can: Capabilities;
  /** The head of a frame up to the arity of the control tuple. */
  readonly #head: Uint8Array;

  constructor(writer: TermWriter, can: Capabilities) {
    this.#writer = writer;
    this.#can = can;
    this.#head = can.distributionHeader
      ? Uint8Array.of(versionTag, header.whole, 0, smallTupleTag)
      : Uint8Array.of(passThrough, versionTag, smallTupleTag);
  }

  /** Appends one frame; returns its size. Throws `not_encodable` or `term_too_large`, and then nothing was appended. */
  write(control: OutgoingControl): number {
    this.#writer.beginFrame();
    try {
      this.#content(control);
      return this.#writer.endFrame();
    } catch (thrown) {
      this.#writer.abortFrame();
      throw thrown instanceof Refusal ? refusalError(thrown) : thrown;
    }
  }

  #content(control: OutgoingControl): void {
    switch (control.kind) {
      case 'send':
        this.#send(control);
        break;
      case 'send_named':
        this.#sendNamed(control);
        break;
      case 'send_alias':
        this.#sendAlias(control);
        break;
      case 'link':
        this.#begin(3, op.link);
        this.#pair(control.from, control.to);
        break;
      case 'unlink':
      case 'unlink_ack':
        this.#unlink(control);
        break;
      case 'exit':
      case 'exit2':
        this.#exit(control);
        break;
      case 'monitor':
      case 'demonitor':
        this.#monitor(control);
        break;
      case 'down':
        this.#down(control);
        break;
      case 'spawn_reply':
        this.#spawnReply(control);
        break;
      default:
        unreachable(control);
    }
  }

  #send({ from, to, message }: SendControl): void {
    if (this.#can.sendSender && from !== undefined) {
      this.#begin(3, op.sendSender);
      this.#pair(from, to);
    } else {
      this.#begin(3, op.send);
      this.#writer.atom(noCookie);
      this.#writer.pid(to);
    }
    this.#payload(message);
  }

  #sendNamed({ from, name, message }: SendNamedControl): void {
    this.#begin(4, op.sendNamed);
    this.#writer.pid(from);
    this.#writer.atom(noCookie);
    this.#writer.atom(name);
    this.#payload(message);
  }

  #sendAlias({ from, alias, message }: SendAliasControl): void {
    this.#begin(3, op.sendAlias);
    this.#writer.pid(from);
    this.#writer.ref(alias);
    this.#payload(message);
  }

  #unlink({ kind, id, from, to }: UnlinkControl): void {
    if (this.#can.unlinkId) {
      this.#begin(4, kind === 'unlink' ? op.unlinkId : op.unlinkIdAck);
      this.#writer.number(id);
    } else {
      this.#begin(3, op.unlink);
    }
    this.#pair(from, to);
  }

  #exit({ kind, from, to, reason }: ExitControl): void {
    const inPayload = this.#can.exitPayload;
    const plain = kind === 'exit' ? op.exit : op.exit2;
    const withPayload = kind === 'exit' ? op.payloadExit : op.payloadExit2;
    this.#begin(inPayload ? 3 : 4, inPayload ? withPayload : plain);
    this.#pair(from, to);
    this.#reason(reason);
  }

  #monitor({ kind, from, to, ref }: MonitorControl): void {
    this.#begin(4, kind === 'monitor' ? op.monitor : op.demonitor);
    this.#writer.pid(from);
    this.#pidOrAtom(to);
    this.#writer.ref(ref);
  }

  #down({ from, to, ref, reason }: DownControl): void {
    const inPayload = this.#can.exitPayload;
    this.#begin(inPayload ? 4 : 5, inPayload ? op.payloadDown : op.down);
    this.#pidOrAtom(from);
    this.#writer.pid(to);
    this.#writer.ref(ref);
    this.#reason(reason);
  }

  #spawnReply({ request, to, result }: SpawnReplyControl): void {
    this.#begin(5, op.spawnReply);
    this.#writer.ref(request);
    this.#writer.pid(to);
    this.#writer.number(0);
    this.#pidOrAtom(result);
  }

  #begin(arity: number, operation: number): void {
    const writer = this.#writer;
    writer.raw(this.#head);
    writer.byte(arity);
    writer.byte(smallIntegerTag);
    writer.byte(operation);
  }

  #pair(from: Pid, to: Pid): void {
    this.#writer.pid(from);
    this.#writer.pid(to);
  }

  #pidOrAtom(value: Pid | Atom): void {
    if (value instanceof Pid) this.#writer.pid(value);
    else this.#writer.atom(value);
  }

  #payload(value: unknown): void {
    if (!this.#can.distributionHeader) this.#writer.byte(versionTag);
    if (value instanceof EncodedPayload) this.#writer.raw(value.bytes);
    else this.#writer.term(value);
  }

  #reason(value: unknown): void {
    if (this.#can.exitPayload) this.#payload(value);
    else if (value instanceof EncodedPayload) this.#writer.raw(value.bytes);
    else this.#writer.term(value);
  }
}

function unreachable(control: never): never {
  throw new Error(`no form for ${(control as { kind: string }).kind}`);
}
