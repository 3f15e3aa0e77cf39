// What a simulated cluster consists of: machines that run a node each, their processes, and the calls of their clients.
// A machine is named like its node; two machines that run nodes of one name are `A` and `A'`.
import type { MemberState } from '../registry/protocol/state.ts';
import type { Event, MemberKey, NameKey, Result } from '../registry/protocol/types.ts';
import type { Pid } from '../term/pid.ts';
import type { Clock } from './clock.ts';
import type { Draw } from './draw.ts';

export interface SimProcess {
  readonly pid: Pid;
  /** The machine on which it runs; for a process of a node without a member, the one that watches it. */
  readonly node: string;
  /** Runs on a node without a member: `alive` as the link to there tells it. */
  readonly foreign: boolean;
  alive: boolean;
  endedAt: number;
}

export interface Call {
  readonly id: number;
  readonly node: string;
  readonly boot: number;
  readonly type: 'register' | 'unregister' | 'read';
  readonly key: NameKey;
  readonly process: SimProcess | null;
  readonly invokedAt: number;
  answeredAt: number;
  /** `null` until it is answered; stays so where the node crashed first. */
  result: Result | null;
}

export interface SimNode {
  /** Of the machine. */
  readonly name: string;
  /** Of the node, as members know it. */
  readonly nodeName: string;
  readonly clock: Clock;
  readonly draw: Draw;
  /** `null` while the node is down, or has left. */
  state: MemberState | null;
  /** Raised by each start and each stop: what was meant for an earlier one is void. */
  boot: number;
  /** Which start of the node name this is, on whatever machine. */
  creation: number;
  /** Which incarnation of this start the member is, from 1. */
  generation: number;
  paused: boolean;
  readonly backlog: Event[];
  /** A slow node handles each event so many milliseconds late, at most; 0: at once. */
  lagMaxMs: number;
  /** Events that wait in a slow node, and when the last of them is handled. */
  lagging: number;
  busyUntil: number;
  tickAt: number;
  nextPid: number;
  readonly processes: Set<SimProcess>;
  /** Put back from a snapshot of this boot: its calls may be answered a second time. */
  restoredBoot: number | null;
  /** The member that vanished with its machine, and may be put back. */
  vanished: MemberKey | null;
}

export function createMachine(name: string, clock: Clock, draw: Draw): SimNode {
  return {
    name,
    nodeName: nodeNameOf(name),
    clock,
    draw,
    state: null,
    boot: 0,
    creation: 0,
    generation: 0,
    paused: false,
    backlog: [],
    lagMaxMs: 0,
    lagging: 0,
    busyUntil: 0,
    tickAt: Infinity,
    nextPid: 1,
    processes: new Set(),
    restoredBoot: null,
    vanished: null,
  };
}

/** The second machine that runs a node of that name. */
export function twinOf(name: string): string {
  return `${name}'`;
}

export function nodeNameOf(machine: string): string {
  return machine.endsWith("'") ? machine.slice(0, -1) : machine;
}
