// What is done to a cluster from outside: faults and calls, each with a time and everything that was drawn for it, as plain
// data. A run is a list of them; whoever takes one out, or shortens it, has another run.
import type { Mood } from './sim-store.ts';

/** Milliseconds, by the node that learns of something. */
export type Delays = Readonly<Record<string, number>>;

interface OnNode {
  readonly node: string;
  /** Strike whoever leads then, and `node` only where nobody does. */
  readonly aim?: boolean;
}

export type Fault =
  | { readonly do: 'start'; readonly node: string }
  /** `links`: who sees the connection break, and when; `proofs`: who gets proof; `back`: when it starts again. */
  | (OnNode & {
      readonly do: 'crash';
      readonly links: Delays;
      readonly proofs: Delays;
      readonly back: number | null;
    })
  /** `frozen`: its clock stands still meanwhile, which is beyond every bound. */
  | (OnNode & { readonly do: 'pause'; readonly lasts: number; readonly frozen?: boolean })
  /** Nothing gets from these to those; no `to`: to anybody else; `both`: nor back. `reset`: what is under way is lost. `noticed`: links are seen to go and come so much later. `store`: they lose the store, too. */
  | (OnNode & {
      readonly do: 'cut';
      readonly from: readonly string[];
      readonly to: readonly string[];
      readonly way: 'out' | 'in' | 'both';
      readonly lasts: number;
      readonly reset: boolean;
      readonly noticed: number | null;
      readonly store?: Mood;
    })
  /** A connection breaks and is there again at once: what was under way is lost. */
  | (OnNode & { readonly do: 'flap'; readonly to: string; readonly up: number })
  /** No `who`: for all. */
  | (OnNode & {
      readonly do: 'store';
      readonly who: readonly string[];
      readonly mood: Mood;
      readonly lasts: number;
    })
  /** A planned leave: after `exits` its processes end; who has not left after `kill` is killed. */
  | (OnNode & {
      readonly do: 'drain';
      readonly exits: number;
      readonly kill: number;
      readonly back: number | null;
    })
  /** Each event is handled up to `maxMs` late. */
  | (OnNode & { readonly do: 'slow'; readonly lasts: number; readonly maxMs: number })
  /** A second machine starts a node of the name. `first`: what holds the first one meanwhile. `flips`: when others reach the other one by the name. `keep`: who goes on after `lasts`. */
  | {
      readonly do: 'twin';
      readonly node: string;
      readonly first: 'runs' | 'paused' | 'cut';
      readonly lasts: number;
      readonly flips: readonly { readonly after: number; readonly from: string; readonly second: boolean }[];
      readonly keep: 'first' | 'second';
    }
  /** A snapshot is taken, the machine runs on, vanishes, and is put back as it was when its session must have lapsed. */
  | (OnNode & { readonly do: 'rewind'; readonly runs: number; readonly away: number })
  /** The clock runs at 1 + ρ · `steps` / 1000; no `lasts`: for good. */
  | { readonly do: 'clock'; readonly node: string; readonly steps: number; readonly lasts: number | null };

/** `patience`: when the caller gives up. */
interface Asked {
  readonly node: string;
  readonly key: string;
  readonly patience: number;
}

export type Deed =
  /** `process`: which of those of the node, by their order; -1: a fresh one. `ext`: of a node without a member. */
  | (Asked & { readonly do: 'register'; readonly process: number; readonly ext?: 'own' | 'shared' })
  | (Asked & { readonly do: 'unregister' })
  | (Asked & { readonly do: 'read' })
  /** A snapshot read. */
  | { readonly do: 'look'; readonly node: string; readonly key: string }
  | { readonly do: 'exit'; readonly node: string; readonly process: number }
  /** The link to the node without a member breaks: its processes count as ended here. */
  | { readonly do: 'unlink'; readonly node: string }
  /** An operator who knows that the leader has ended says so. */
  | { readonly do: 'forceClaim'; readonly node: string };

export type Action = { readonly at: number } & (Fault | Deed);

export type FaultAction = { readonly at: number } & Fault;
export type DeedAction = { readonly at: number } & Deed;

const deeds: ReadonlySet<Action['do']> = new Set([
  'register',
  'unregister',
  'read',
  'look',
  'exit',
  'unlink',
  'forceClaim',
]);

export function isDeed(action: Action): action is DeedAction {
  return deeds.has(action.do);
}
