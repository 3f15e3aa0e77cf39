// What the author of a backend gives to the suite: a new store for each case, clients of it, and, as far as there is such
// a thing, ways to disturb it. Whatever a store has not is declared with a reason, and the cases that need it are
// listed as skipped with that reason; nothing is left out in silence.
import type { Backend } from '../port.ts';

/** What some cases need, and some stores cannot have. */
export type ConformanceNeed = 'connect' | 'link' | 'restart' | 'pause' | 'compact' | 'dropNotifications';

/** A new, empty store for one case. Every client has its own way to the store unless it is said otherwise. */
export interface ConformanceTarget {
  /** A client that nothing disturbs: through it the cases look at what really happened. */
  readonly backend: Backend;
  /** A second one, as another process would be. Left out where one process can have one client only. */
  readonly other?: Backend;
  /** A third one, over a network that fails on command. Need `link`. */
  readonly link?: ConformanceLink;
  /**
   * One more client of the same store. It is closed by the case. Called only after `backend` and `other` were closed,
   * so a store with one client per process has it too. Need `connect`.
   */
  connect?(): Promise<Backend>;
  /**
   * Kills the server at once, as a failing machine would, and starts it again with what is on its disk, reachable under
   * the same address. Resolves when it answers. Need `restart`.
   */
  restart?(): Promise<void>;
  /** Stops the server without ending it (SIGSTOP): connections stay, nothing is answered. Need `pause`. */
  pauseServer?(): void;
  /** Lets it go on. Both are idempotent. */
  resumeServer?(): void;
  /** Makes the store forget its history up to now: old snapshots, and the log that watches resume from. Need `compact`. */
  compact?(): Promise<void>;
  /**
   * From now on no notification of a commit by another client arrives at `backend`; its commands do. Where a notification can be
   * lost only with its connection: connections take commands, and nothing comes back on them any more; new ones work for
   * a moment. Need `dropNotifications`.
   */
  dropNotifications?(): Promise<void>;
  /** Closes what is still open, also a disturbed link or a paused server, and removes the store. */
  dispose(): Promise<void>;
}

/**
 * A client whose every byte to and from the store passes a network that the case disturbs; usually a proxy on
 * loopback. It knows no protocol. It counts turns: a turn begins with bytes from the client that follow bytes from the store
 * on the same connection, or that are the first after a fault was armed. So a case arms a fault right before `commit`, lets
 * it strike the first turn, then the second, and so on, until a commit needs fewer turns than that: every point
 * between two messages of the backend has had its fault then.
 */
export interface ConformanceLink {
  readonly backend: Backend;
  /** Milliseconds that the client may need to notice a disturbance and to recover after its end. Default 10000. */
  readonly recoveryMs?: number;
  /** Resets all connections; new ones pass. */
  cut(): void;
  /** Resets all connections, and new ones as they come, until `heal`. */
  sever(): void;
  /**
   * Nothing passes any more, neither on connections that exist nor on new ones, and nobody is told. After `heal` those
   * connections stay as silent as they were, only newer ones pass: who used them has to notice by himself.
   */
  silence(): void;
  /** Ends `sever`, `silence` and `cutEachAfter`. */
  heal(): void;
  /** Resets each connection so many milliseconds after it was made, until `heal`. */
  cutEachAfter(ms: number): void;
  /** The turn passes; its answer, and all else from the store on that connection, does not. Once it is there, a reset. */
  loseNextReply(after?: FaultPoint): LinkFault;
  /** The turn does not reach the store, and the connection is reset. */
  loseNextRequest(after?: FaultPoint): LinkFault;
  /** The client sees a reset, but the store sees nothing of it, and gets the bytes of the turn on `release`. */
  delayNextRequest(after?: FaultPoint): DelayedRequest;
}

export interface FaultPoint {
  /** Turns that pass before, counted over all connections from now on. Default 0. */
  readonly turns: number;
}

export interface LinkFault {
  /** Whether it has happened. It happens once. */
  readonly struck: boolean;
  /** If it has not happened, it will not. Idempotent. */
  disarm(): void;
}

export interface DelayedRequest extends LinkFault {
  /** Lets the bytes arrive, and resolves when the store has answered them, closed the connection, or said nothing for a second. */
  release(): Promise<void>;
}

/** Whether a target has what a case needs. */
export function provides(target: ConformanceTarget, need: ConformanceNeed): boolean {
  if (need !== 'pause') return target[need] !== undefined;
  return target.pauseServer !== undefined && target.resumeServer !== undefined;
}
