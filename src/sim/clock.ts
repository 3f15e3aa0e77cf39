// The monotonic clock of one machine: it runs at a rate of its own, which may change. Kept as the pieces between the
// changes, so that a local time of the past leads back to the true time at which it was shown.

interface Piece {
  readonly from: number;
  readonly local: number;
  readonly rate: number;
}

/** A clock that stands: so slow that nobody lives to see it move, and still no division by zero. */
export const frozenRate = 1e-9;

export class Clock {
  readonly #pieces: Piece[];

  constructor(offset: number, rate: number) {
    this.#pieces = [{ from: 0, local: offset, rate }];
  }

  get rate(): number {
    return this.#last.rate;
  }

  /** What the clock shows at the true time `now`, which must not lie before the last change. */
  localAt(now: number): number {
    const { from, local, rate } = this.#last;
    return local + (now - from) * rate;
  }

  /** When the clock shows, or showed, `local`; for the future as if the rate stayed as it is. */
  trueAt(local: number): number {
    let index = this.#pieces.length - 1;
    while (index > 0 && (this.#pieces[index] as Piece).local > local) index--;
    const piece = this.#pieces[index] as Piece;
    return piece.from + (local - piece.local) / piece.rate;
  }

  setRate(now: number, rate: number): void {
    this.#pieces.push({ from: now, local: this.localAt(now), rate });
  }

  get #last(): Piece {
    return this.#pieces[this.#pieces.length - 1] as Piece;
  }
}
