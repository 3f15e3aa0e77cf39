// What a configuration enumerates: who takes part, how their clocks go, from where it starts, what clients ask, what goes
// wrong and how often, and for how long. Everything that is not limited here is tried in every order.

import type { InvariantName } from '../invariants/catalogue.ts';
import type { Durations } from '../registry/protocol/types.ts';

export const faults = [
  /** A node stops at once, with all its processes. */
  'crash',
  /** A node that is down starts, as a fresh incarnation: a join or a restart. */
  'start',
  /** A node does nothing until it goes on. */
  'pause',
  /** Messages of a link wait until it is released. */
  'hold',
  /** What is under way on a link is lost, and what is sent until it heals; of `@A`, the store refuses what A asks. */
  'cut',
  /** The first message of a link is lost. */
  'lose',
  /** Operations of a node are refused by the store until it is reached again. */
  'storeCut',
  /** Operations of a node, and answers to it, wait until they are released. */
  'storeHold',
  /** One operation is refused. */
  'unavailable',
  /** One operation is executed, and its answer lost. */
  'lost',
  /** One operation is neither executed nor answered. */
  'silent',
  /** One operation gets no answer, and is executed at some later moment, or never. */
  'late',
  /** A node learns that an incarnation has ended which has ended. */
  'proof',
  /** A node is told that an incarnation has ended which runs. */
  'mistake',
  /** A member leaves. */
  'drain',
  /** A node is told that a link is up again, or down, whatever it is. */
  'linkUp',
  'linkDown',
] as const;

export type Fault = (typeof faults)[number];

/**
 * `times`: how often at most. `at`: nodes, or links as `A>B`, several that go together joined by `+`; everywhere if
 * missing. `quiet`: only where nothing else can happen at this instant. `stays`: what lasts does not end. `until`:
 * it begins no later than that quantum; a cluster at rest repeats itself every two quanta, with each renewal, so a first
 * fault that may come in the first two may come at any time.
 */
export interface FaultRule {
  readonly times: number;
  readonly at?: readonly string[];
  readonly quiet?: boolean;
  readonly stays?: boolean;
  readonly until?: number;
}

export interface ClientOp {
  readonly at: string;
  readonly do: 'register' | 'unregister' | 'read' | 'exit' | 'cancel';
  readonly name?: string;
  /** Number of the process, of its node. */
  readonly process?: number;
  /** Index of the operation that must have been asked before: for `exit` and `cancel` the one that it is about. */
  readonly after?: number;
  readonly quiet?: boolean;
  readonly until?: number;
}

/** Deterministic steps that lead to the place where the enumeration starts. */
export type RootStep =
  | { readonly start: string }
  | { readonly ask: ClientOp }
  /** Runs until all that run are active, established, at rest. */
  | 'settle'
  /** Runs until nothing more happens at this instant. */
  | 'instant'
  /** Quanta that pass with nothing going wrong. */
  | { readonly pass: number }
  | { readonly fault: Fault; readonly at: string }
  | { readonly end: Fault; readonly at: string };

export interface Scope {
  readonly name: string;
  readonly about: string;
  readonly tier: 'ci' | 'deep';
  /** Name and rate of the clock. */
  readonly nodes: readonly { readonly name: string; readonly rate: number }[];
  readonly durations: Durations;
  /** By how much true time advances at once. */
  readonly quantumMs: number;
  /** What a candidate waits for each one before it (default 0). */
  readonly staggerMs?: number;
  /**
   * free: everything that can happen may happen next. prompt: what can be delivered is delivered before time passes,
   * one member after the other, in all orders that each of them can see; whatever deviates is a fault.
   */
  readonly mode: 'free' | 'prompt';
  /** In `prompt`: of what one member can take, only the first is tried. */
  readonly oneOrder?: boolean;
  readonly flushLater?: boolean;
  readonly root: readonly RootStep[];
  readonly ops: readonly ClientOp[];
  readonly faults: Readonly<Partial<Record<Fault, FaultRule>>>;
  /** Quanta of true time. */
  readonly horizon: number;
  readonly statesMax?: number;
  /** What may break, and at least one of it must, since the configuration takes a safeguard away. It goes on all the same. */
  readonly breaks?: readonly InvariantName[];
  /** Every n-th state is healed, and must come to rest. 0: none. */
  readonly healEvery?: number;
}

/** Deviations from the rates that the bound allows are at its edges. */
export const plainDurations: Durations = {
  leaseMs: 960,
  sessionMs: 1920,
  toleranceMs: 1920,
  holdMs: 2880,
  clockRateBound: 0.25,
};
