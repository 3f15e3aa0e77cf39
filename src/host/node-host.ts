// The host of production: Node's monotonic clock, timers and random source. The one place below the composition root
// that touches them.
import { randomFillSync } from 'node:crypto';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import type { Host, Log, Random, TimerHandle } from './ports.ts';
import { silentLog } from './ports.ts';

export interface NodeHostOptions {
  /** Default: silent. */
  readonly log?: Log;
}

/** The ports of the Node.js process we run in. Opens nothing and needs no closing; timers that are set keep the process alive unless `background`. */
export function nodeHost(options: NodeHostOptions = {}): Host {
  return {
    clock: { now: () => performance.now() },
    timers: {
      after: (delayMs, callback, timerOptions) =>
        new NodeTimer(delayMs, callback, timerOptions?.background === true),
      defer: (callback) => void setImmediate(callback),
    },
    random: cryptoRandom(),
    log: options.log ?? silentLog,
  };
}

const DELAY_MAX_MS = 2 ** 31 - 1;

/** Node's timers may fire up to a millisecond early by the monotonic clock; a port timer never does. */
class NodeTimer implements TimerHandle {
  readonly #due: number;
  readonly #callback: () => void;
  readonly #background: boolean;
  #timeout: NodeJS.Timeout | undefined;

  constructor(delayMs: number, callback: () => void, background: boolean) {
    const delay = Math.min(Math.max(delayMs, 0), DELAY_MAX_MS);
    this.#due = performance.now() + delay;
    this.#callback = callback;
    this.#background = background;
    this.#arm(delay);
  }

  cancel(): void {
    if (this.#timeout !== undefined) clearTimeout(this.#timeout);
    this.#timeout = undefined;
  }

  #arm(delay: number): void {
    this.#timeout = setTimeout(() => this.#fire(), Math.ceil(delay));
    if (this.#background) this.#timeout.unref();
  }

  #fire(): void {
    const early = this.#due - performance.now();
    if (early > 0) {
      this.#arm(early);
      return;
    }
    this.#timeout = undefined;
    this.#callback();
  }
}

const POOL_WORDS = 256;

function cryptoRandom(): Random {
  const pool = new Uint32Array(POOL_WORDS);
  let used = POOL_WORDS;
  return {
    bytes: (count) => randomFillSync(new Uint8Array(count)),
    uint32() {
      if (used === POOL_WORDS) {
        randomFillSync(pool);
        used = 0;
      }
      const word = pool[used] as number;
      pool[used] = 0;
      used += 1;
      return word;
    },
  };
}
