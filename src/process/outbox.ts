// What waits for room in the link to a peer: calls, until their deadline, and answers. A plain send does not wait, it
// throws. First come, first served; the link says once when it has room again.
import { hasCode } from '../errors/error.ts';
import type { Atom } from '../term/atom.ts';
import type { Outbound } from './distribution-port.ts';
import { Queue } from './queue.ts';

export interface Waiting {
  /** Not wanted any more: passed over. */
  readonly abandoned: boolean;
  /** Sends; throws `send_buffer_full` when there still is no room. Deals with every other failure itself. */
  attempt(outbound: Outbound): void;
}

export class Outbox {
  readonly #waiting = new Queue<Waiting>();
  #asked = false;

  get size(): number {
    return this.#waiting.size;
  }

  /** Sends now, or as soon as there is room. */
  send(node: Atom, outbound: Outbound, entry: Waiting): void {
    if (this.#waiting.size === 0 && hasRoom(outbound, entry)) return;
    this.#waiting.push(entry);
    this.#askForRoom(node, outbound);
  }

  clear(): void {
    this.#waiting.clear();
  }

  #askForRoom(node: Atom, outbound: Outbound): void {
    if (this.#asked) return;
    this.#asked = true;
    outbound.whenWritable(node, () => {
      this.#asked = false;
      this.#flush(node, outbound);
    });
  }

  #flush(node: Atom, outbound: Outbound): void {
    while (this.#waiting.size > 0) {
      const entry = this.#waiting.at(0);
      if (!entry.abandoned && !hasRoom(outbound, entry)) {
        this.#askForRoom(node, outbound);
        return;
      }
      this.#waiting.shift();
    }
  }
}

function hasRoom(outbound: Outbound, entry: Waiting): boolean {
  try {
    entry.attempt(outbound);
    return true;
  } catch (error) {
    if (hasCode(error, 'send_buffer_full')) return false;
    throw error;
  }
}
