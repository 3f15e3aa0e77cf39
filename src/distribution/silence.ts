// Whether a peer that should have spoken is silent, told by looks in even distances. Only what was written and followed by
// nothing counts: two nodes that have nothing to say to each other may be silent for long. What is written may want no answer,
// so the peer is asked for a sign of life before it is blamed; any byte is one.
//
// Why it matters: packets that are dropped without a word leave the connection open on both sides, and the kernel repeats what
// it has sent in ever larger intervals. After a long cut nothing would pass for about as long again.

/** The part of the limit that an answer may take before it is asked for. */
const patience = 1 / 16;

export type Look = 'fine' | 'ask' | 'lost';

export class Silence {
  /** Since the first write that nothing has followed; undefined when there is none. */
  #unansweredMs: number | undefined;
  /** Since the peer was asked. */
  #askedMs: number | undefined;

  heard(): void {
    this.#unansweredMs = undefined;
    this.#askedMs = undefined;
  }

  wrote(): void {
    this.#unansweredMs ??= 0;
  }

  /**
   * A look, `ms` after the one before. However late it comes, it counts for no more: what was sent while this process stood still is
   * read after it. `ask`: something that is always answered is to be written now. `lost`: that was longer than `limitMs` ago.
   */
  look(ms: number, limitMs: number): Look {
    if (this.#unansweredMs === undefined) return 'fine';
    if (this.#askedMs !== undefined) {
      this.#askedMs += ms;
      return this.#askedMs > limitMs ? 'lost' : 'fine';
    }
    this.#unansweredMs += ms;
    if (this.#unansweredMs <= limitMs * patience) return 'fine';
    this.#askedMs = 0;
    return 'ask';
  }
}

/** Milliseconds between two looks. */
export function lookEveryMs(limitMs: number): number {
  return Math.min(1_000, Math.max(20, limitMs * patience));
}
