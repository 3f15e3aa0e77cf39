// Whether a peer that should have spoken is silent, told by looks in even distances. Only what was written and followed by
// nothing counts: two nodes that have nothing to say to each other may be silent for long. What is written may want no answer,
// so the peer is asked for a sign of life before it is blamed; any byte is one.
//
// Why it matters: packets that are dropped without a word leave the connection open on both sides, and the kernel repeats what
// it has sent in ever larger intervals. After a long cut nothing would pass for about as long again.

export type Look = 'fine' | 'ask' | 'lost';

export class Silence {
  /** Since the first write that nothing has followed; undefined when there is none. */
  #unansweredMs: number | undefined;
  /** Since the peer was asked. */
  #askedMs: number | undefined;
  #limitMs = Number.POSITIVE_INFINITY;

  heard(): void {
    this.#unansweredMs = undefined;
    this.#askedMs = undefined;
  }

  wrote(): void {
    this.#unansweredMs ??= 0;
  }

  /**
   * How long the peer may be silent when it was asked; `Infinity`: as before. A member is struck off while it is silent, and what was
   * sent to it is stuck all the same.
   */
  limit(ms: number): void {
    if (ms !== Number.POSITIVE_INFINITY) this.#limitMs = ms;
  }

  /** Milliseconds between two looks; so long, too, an answer may take before it is asked for. */
  get everyMs(): number {
    return Math.min(1_000, Math.max(20, this.#limitMs / 16));
  }

  /**
   * A look, `ms` after the one before. However late it comes, it counts for no more: what was sent while this process stood still is
   * read after it. `ask`: something that is always answered is to be written now. `lost`: that was longer ago than the limit.
   */
  look(ms: number): Look {
    if (this.#unansweredMs === undefined) return 'fine';
    if (this.#askedMs !== undefined) {
      this.#askedMs += ms;
      return this.#askedMs > this.#limitMs ? 'lost' : 'fine';
    }
    this.#unansweredMs += ms;
    if (this.#unansweredMs <= this.everyMs) return 'fine';
    this.#askedMs = 0;
    return 'ask';
  }
}
