// Whose end the member has to hear of: processes that hold names here or are about to. One watch for each process, found by
// the number in its pid while that is of this node: an id has one living process at a time.
import type { Host } from '../host/ports.ts';
import type { Runtime } from '../process/types.ts';
import type { Pid } from '../term/index.ts';

interface Watched {
  readonly pid: Pid;
  /** Requests under way for it. */
  pending: number;
  stop: () => void;
}

/** Exits told in one turn; thousands of processes may end at once. */
const exitsPerTurn = 500;

export class ProcessWatches {
  readonly #runtime: Runtime;
  readonly #timers: Host['timers'];
  readonly #exited: (pid: Pid) => void;
  readonly #local: Map<number, Watched> = new Map();
  readonly #foreign: Map<string, Watched> = new Map();
  #ended: Pid[] = [];
  #telling = false;
  #closed = false;

  /** `exited` is told of each end, soon after it and never in the middle of it. */
  constructor(runtime: Runtime, exited: (pid: Pid) => void) {
    this.#runtime = runtime;
    this.#timers = runtime.host.timers;
    this.#exited = exited;
  }

  /** Counts a request for the process. */
  request(pid: Pid): void {
    const known = this.#find(pid);
    if (known !== undefined) {
      known.pending++;
      return;
    }
    const watched: Watched = { pid, pending: 1, stop: noStop };
    if (pid.node === this.#runtime.name) this.#local.set(pid.id, watched);
    else this.#foreign.set(pid.key, watched);
    watched.stop = this.#runtime.watchDown(pid, () => this.#onDown(watched));
  }

  /** A request has ended. The watch goes with the last one, unless the process holds a name. */
  done(pid: Pid, holds: () => boolean): void {
    const watched = this.#find(pid);
    if (watched === undefined) return;
    watched.pending--;
    if (watched.pending > 0 || holds()) return;
    this.#forget(pid);
    watched.stop();
  }

  close(): void {
    this.#closed = true;
    for (const watches of [this.#local, this.#foreign]) {
      for (const { stop } of watches.values()) stop();
      watches.clear();
    }
  }

  #find(pid: Pid): Watched | undefined {
    if (pid.node !== this.#runtime.name) return this.#foreign.get(pid.key);
    const watched = this.#local.get(pid.id);
    return watched?.pid === pid || watched?.pid.equals(pid) ? watched : undefined;
  }

  #forget(pid: Pid): void {
    if (pid.node === this.#runtime.name) this.#local.delete(pid.id);
    else this.#foreign.delete(pid.key);
  }

  /** In the middle of the end of a process: it is noted, and told later. */
  #onDown({ pid }: Watched): void {
    if (this.#find(pid) !== undefined) this.#forget(pid);
    this.#ended.push(pid);
    if (this.#telling) return;
    this.#telling = true;
    void Promise.resolve().then(() => this.#tell());
  }

  #tell(): void {
    const batch = this.#ended.splice(0, exitsPerTurn);
    for (const pid of batch) if (!this.#closed) this.#exited(pid);
    this.#telling = this.#ended.length > 0;
    if (this.#telling) this.#timers.defer(() => this.#tell());
  }
}

function noStop(): void {
  // Replaced at once; until then nothing is watched.
}
