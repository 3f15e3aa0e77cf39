// Private frames, written. What they cannot say, such as a send to a process of an earlier creation, is left to Erlang's form.
import type { NamedTarget, OutgoingRequest } from '../../process/distribution-port.ts';
import type { Atom } from '../../term/atom.ts';
import { Pid } from '../../term/pid.ts';
import { Refusal, refusalError } from '../../term/refusal.ts';
import type { TermWriter } from '../../term/writer.ts';
import { callee, compact, type NodeIdentity } from './compact.ts';
import type { SendControl, SendNamedControl } from './control.ts';
import { EncodedPayload } from './control-encode.ts';

/**
 * Each method appends one frame and returns its size. Those with a payload throw `not_encodable` or `term_too_large`, and then
 * nothing was appended.
 */
export class CompactEncoder {
  readonly #writer: TermWriter;
  readonly #self: NodeIdentity<Atom>;
  readonly #peer: NodeIdentity<Atom>;

  constructor(writer: TermWriter, self: NodeIdentity<Atom>, peer: NodeIdentity<Atom>) {
    this.#writer = writer;
    this.#self = self;
    this.#peer = peer;
  }

  call(from: Pid, to: Pid | NamedTarget, { number, request }: OutgoingRequest): number {
    const writer = this.#writer;
    writer.beginFrame();
    try {
      writer.byte(compact.call);
      writer.varint(number);
      this.#pid(from);
      this.#callee(to);
      writer.term(request);
      return writer.endFrame();
    } catch (thrown) {
      throw this.#abort(thrown);
    }
  }

  answer(number: number, reply: unknown): number {
    return this.#numbered(compact.answer, number, reply);
  }

  calleeGone(number: number, reason: unknown): number {
    return this.#numbered(compact.calleeGone, number, reason);
  }

  givenUp(number: number): number {
    const writer = this.#writer;
    writer.beginFrame();
    writer.byte(compact.givenUp);
    writer.varint(number);
    return writer.endFrame();
  }

  /** What every node answers at once: a call to a process that there cannot be, under a number that no call has. */
  ask(): number {
    const { name } = this.#peer;
    return this.call(new Pid(name, 0, 0, 0), new Pid(name, 0, 0, 0), { number: 0, request: 0 });
  }

  /** 0 when there is no such form for it; then nothing was appended. */
  send(control: SendControl | SendNamedControl): number {
    const { from, message } = control;
    if (from === undefined || !isOf(from, this.#self)) return 0;
    if (control.kind === 'send' && !isOf(control.to, this.#peer)) return 0;
    const writer = this.#writer;
    writer.beginFrame();
    try {
      writer.byte(control.kind === 'send' ? compact.send : compact.sendNamed);
      this.#pid(from);
      if (control.kind === 'send') this.#pid(control.to);
      else writer.atom(control.name);
      if (message instanceof EncodedPayload) writer.raw(message.bytes);
      else writer.term(message);
      return writer.endFrame();
    } catch (thrown) {
      throw this.#abort(thrown);
    }
  }

  #numbered(operation: number, number: number, payload: unknown): number {
    const writer = this.#writer;
    writer.beginFrame();
    try {
      writer.byte(operation);
      writer.varint(number);
      writer.term(payload);
      return writer.endFrame();
    } catch (thrown) {
      throw this.#abort(thrown);
    }
  }

  #callee(to: Pid | NamedTarget): void {
    const writer = this.#writer;
    if (!(to instanceof Pid)) {
      writer.byte(callee.name);
      writer.atom(to.name);
    } else if (to.creation === this.#peer.creation) {
      writer.byte(callee.pid);
      this.#pid(to);
    } else {
      writer.byte(callee.pidOfCreation);
      this.#pid(to);
      writer.varint(to.creation);
    }
  }

  #pid({ id, serial }: Pid): void {
    this.#writer.varint(id);
    this.#writer.varint(serial);
  }

  #abort(thrown: unknown): unknown {
    this.#writer.abortFrame();
    return thrown instanceof Refusal ? refusalError(thrown) : thrown;
  }
}

function isOf({ node, creation }: Pid, identity: NodeIdentity<Atom>): boolean {
  return creation === identity.creation && node === identity.name;
}
