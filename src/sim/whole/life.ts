// One start of a node, from the outside: everything that reaches its code (timers, bytes, answers of the store, what
// clients do there) comes through `enter`. Paused, it is held back; dead, it is dropped: since all waiting ends in one of
// these, nothing of a dead node ever runs again, and no promise needs to be stopped. Its clock has a rate and an origin
// of its own.
import { seededRandom } from '../../host/index.ts';
import type { Host, Log } from '../../host/ports.ts';
import type { Draw } from '../draw.ts';
import type { Story } from './story.ts';
import type { VirtualTime } from './virtual-time.ts';

/** What has been waiting while a node was paused comes timers first, or inputs first. */
type Kind = 'timer' | 'input';

/** Between a callback that was deferred and what came before it. */
const turnMs = 0.01;

export interface LifeOptions {
  readonly node: string;
  readonly time: VirtualTime;
  readonly story: Story;
  readonly draw: Draw;
  /** Seconds of its clock for each second of true time. */
  readonly rate: number;
  /** Timers fire so late at most, in milliseconds. */
  readonly latenessMs: number;
  readonly onLog: (level: keyof Log, fields: object, message: string) => void;
  /** Something of it acts though it is dead. */
  readonly onGhost: (what: string) => void;
}

interface NodeTimer {
  /** What it is for, as far as one sees. */
  readonly what: string;
  cancel(): void;
}

export class Life {
  readonly node: string;
  readonly host: Host;
  /** Things that have to be done when the node is no more. */
  readonly onDeath: Set<() => void> = new Set();
  /** True time at which a pause began; `undefined` while it runs. */
  pausedAt: number | undefined;
  /** When and how long it stood still, of true time. */
  readonly pauses: { readonly from: number; readonly to: number }[] = [];
  diedAt: number | undefined;
  readonly #options: LifeOptions;
  readonly #origin: number;
  readonly #bornAt: number;
  readonly #timers: Set<NodeTimer> = new Set();
  #held: { readonly kind: Kind; readonly run: () => void }[] = [];
  #clockFloor = Number.NEGATIVE_INFINITY;

  constructor(options: LifeOptions) {
    const { node, time, draw } = options;
    this.node = node;
    this.#options = options;
    this.#bornAt = time.now;
    this.#origin = draw.between(0, 1_000_000);
    const seed = draw.below(2 ** 31);
    const logOf = (level: keyof Log) => (fields: object, message: string) => {
      if (this.alive) options.onLog(level, fields, message);
    };
    this.host = {
      clock: { now: () => this.clock() },
      timers: {
        after: (delayMs, callback) => this.#after(delayMs, callback),
        defer: (callback) => this.soon(callback),
      },
      random: seededRandom(seed),
      log: { debug: logOf('debug'), info: logOf('info'), warn: logOf('warn'), error: logOf('error') },
    };
  }

  get alive(): boolean {
    return this.diedAt === undefined;
  }

  get runs(): boolean {
    return this.alive && this.pausedAt === undefined;
  }

  /** Timers of the node that have not fired. */
  get timersPending(): readonly string[] {
    return [...this.#timers].map(({ what }) => what);
  }

  /** What its clock shows. */
  clock(): number {
    const elapsed = (this.#options.time.now - this.#bornAt) * this.#options.rate;
    return Math.max(this.#clockFloor, this.#origin + elapsed);
  }

  /** Lets something reach the code of the node: now, when it goes on, or never. */
  enter(run: () => void, kind: Kind = 'input'): void {
    if (!this.alive) return;
    if (this.pausedAt !== undefined) this.#held.push({ kind, run });
    else run();
  }

  /** Enters in a turn of its own, after what is waiting now. */
  soon(run: () => void): void {
    if (this.alive) this.#options.time.after(turnMs, () => this.enter(run));
  }

  /** Passes the outcome of something outside on, while the node lives. */
  gate<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      work.then(
        (value) => this.enter(() => resolve(value)),
        (error: unknown) => this.enter(() => reject(error)),
      );
    });
  }

  /** It acts though it is dead: something has let it run. */
  ghost(what: string): void {
    this.#options.onGhost(what);
  }

  pause(): void {
    this.pausedAt ??= this.#options.time.now;
  }

  resume(): void {
    const { time, draw } = this.#options;
    if (this.pausedAt === undefined || !this.alive) return;
    this.pauses.push({ from: this.pausedAt, to: time.now });
    this.pausedAt = undefined;
    const timersFirst = draw.chance(500);
    const held = this.#held;
    this.#held = [];
    const first = held.filter(({ kind }) => (kind === 'timer') === timersFirst);
    const then = held.filter(({ kind }) => (kind === 'timer') !== timersFirst);
    // Each in a turn of its own: what is held meanwhile comes behind.
    for (const { run, kind } of [...first, ...then]) time.after(0, () => this.enter(run, kind));
  }

  /** Nothing of it runs from here on. */
  die(): void {
    if (!this.alive) return;
    this.diedAt = this.#options.time.now;
    for (const timer of [...this.#timers]) timer.cancel();
    this.#held = [];
    for (const tell of [...this.onDeath]) tell();
    this.onDeath.clear();
  }

  /** Milliseconds of true time between two instants in which it stood still. */
  stillBetween(from: number, to: number): number {
    const open = this.pausedAt === undefined ? [] : [{ from: this.pausedAt, to }];
    return [...this.pauses, ...open].reduce(
      (sum, pause) => sum + Math.max(0, Math.min(to, pause.to) - Math.max(from, pause.from)),
      0,
    );
  }

  #after(delayMs: number, callback: () => void): NodeTimer {
    const { time, draw, rate, latenessMs } = this.#options;
    // As Node has them: whole milliseconds, at least one.
    const due = this.clock() + Math.min(Math.max(Math.ceil(delayMs), 1), 2 ** 31 - 1);
    const late = (latenessMs * draw.below(1000)) / 1000;
    const fire = (): void => {
      if (!this.#timers.delete(timer)) return;
      // Rounding must not show a clock at which the timer was early.
      this.#clockFloor = Math.max(this.#clockFloor, due);
      callback();
    };
    const planned = time.after((due - this.clock()) / rate + late, () => this.enter(fire, 'timer'));
    const timer: NodeTimer = {
      get what() {
        return `${String(callback)} in ${delayMs} ms`;
      },
      cancel: () => {
        this.#timers.delete(timer);
        planned.cancel();
      },
    };
    this.#timers.add(timer);
    if (!this.alive) {
      timer.cancel();
      this.ghost(`sets a timer for ${String(callback)}`);
    }
    return timer;
  }
}
