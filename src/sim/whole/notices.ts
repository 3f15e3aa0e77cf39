// Monitors and links that were set, and how often each was heard of: exactly once, unless it was called off before.
import type { Life } from './life.ts';
import type { Watch } from './watch.ts';

/** One monitor or link, as its owner tells of it. */
export interface Notice {
  /** Heard of it so many times more. */
  fired(times: number): void;
  /** Has its one notice, or was called off: none may come any more. */
  over(): void;
}

interface Known {
  readonly life: Life;
  readonly what: string;
  times: number;
  isOver: boolean;
}

export class Notices {
  readonly #watch: Watch;
  readonly #known: Known[] = [];

  constructor(watch: Watch) {
    this.#watch = watch;
  }

  set(life: Life, what: string): Notice {
    const known: Known = { life, what, times: 0, isOver: false };
    this.#known.push(known);
    return {
      fired: (times) => {
        known.times += times;
        const tooMany = known.times > 1 || (known.isOver && times > 0);
        if (tooMany) this.#watch.broken('monitors', `${life.node}: ${what} fired ${known.times} times`);
      },
      over: () => {
        known.isOver = true;
      },
    };
  }

  /** Nobody waits for one whose target has ended for long; `still` are those on living nodes that do. */
  get still(): readonly string[] {
    return this.#known
      .filter(({ life, isOver }) => life.alive && !isOver)
      .map(({ life, what }) => `${life.node}: ${what}`);
  }
}
