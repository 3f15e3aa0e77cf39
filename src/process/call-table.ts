// Calls to other nodes, found by number and listed by peer, without a Map or Set on the common way. Those rebuild their
// tables every hundred or so entries that come and go; the dead tables hold the calls of their time until the next
// full collection, and under load that was a quarter of the time. Here a call is linked to its neighbours, and its
// number leads to a slot; the few whose slot is taken by an older call that still waits go to a map.
import type { OutgoingCall } from './outgoing-call.ts';

const SLOTS = 4096;

export class CallTable {
  readonly #slots: (OutgoingCall | undefined)[] = new Array(SLOTS).fill(undefined);
  readonly #others = new Map<number, OutgoingCall>();

  get(number: number): OutgoingCall | undefined {
    const call = this.#slots[number % SLOTS];
    if (call !== undefined && call.number === number) return call;
    return this.#others.size === 0 ? undefined : this.#others.get(number);
  }

  add(call: OutgoingCall): void {
    const slot = call.number % SLOTS;
    if (this.#slots[slot] === undefined) this.#slots[slot] = call;
    else this.#others.set(call.number, call);
  }

  delete(call: OutgoingCall): void {
    const slot = call.number % SLOTS;
    if (this.#slots[slot] === call) this.#slots[slot] = undefined;
    else this.#others.delete(call.number);
  }
}

/** The calls that wait for one peer. A call is in one list at most. */
export class CallList {
  #newest: OutgoingCall | undefined = undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(call: OutgoingCall): void {
    const before = this.#newest;
    call.olderOfPeer = before;
    if (before !== undefined) before.newerOfPeer = call;
    this.#newest = call;
    this.#size += 1;
  }

  delete(call: OutgoingCall): void {
    const { olderOfPeer: older, newerOfPeer: newer } = call;
    if (newer === undefined && this.#newest !== call) return;
    if (newer === undefined) this.#newest = older;
    else newer.olderOfPeer = older;
    if (older !== undefined) older.newerOfPeer = newer;
    // Whoever keeps an ended call must not keep its neighbours.
    call.olderOfPeer = undefined;
    call.newerOfPeer = undefined;
    this.#size -= 1;
  }

  /** Oldest first. */
  list(): OutgoingCall[] {
    const calls: OutgoingCall[] = [];
    for (let call = this.#newest; call !== undefined; call = call.olderOfPeer) calls.push(call);
    return calls.reverse();
  }
}
