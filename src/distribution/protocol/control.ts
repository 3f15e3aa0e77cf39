// The signals of the connected protocol as values: what a control tuple and its payload mean, whichever of its several
// forms on the wire it came in. control-encode.ts and control-decode.ts translate.
import type { Atom } from '../../term/atom.ts';
import type { Pid } from '../../term/pid.ts';
import type { Ref } from '../../term/ref.ts';

export interface SendControl {
  readonly kind: 'send';
  /** Absent when the peer uses the form without sender. */
  readonly from: Pid | undefined;
  readonly to: Pid;
  readonly message: unknown;
}

export interface SendNamedControl {
  readonly kind: 'send_named';
  readonly from: Pid;
  readonly name: Atom;
  readonly message: unknown;
}

export interface SendAliasControl {
  readonly kind: 'send_alias';
  readonly from: Pid;
  readonly alias: Ref;
  readonly message: unknown;
}

export interface LinkControl {
  readonly kind: 'link';
  readonly from: Pid;
  readonly to: Pid;
}

export interface UnlinkControl {
  readonly kind: 'unlink' | 'unlink_ack';
  readonly from: Pid;
  readonly to: Pid;
  /** 0 in the old form of `unlink`, which is not acknowledged. */
  readonly id: number;
}

export interface ExitControl {
  /** `exit`: a link broke. `exit2`: somebody called exit/2. */
  readonly kind: 'exit' | 'exit2';
  readonly from: Pid;
  readonly to: Pid;
  readonly reason: unknown;
}

export interface MonitorControl {
  readonly kind: 'monitor' | 'demonitor';
  readonly from: Pid;
  /** A pid, or a name on the receiving node. */
  readonly to: Pid | Atom;
  readonly ref: Ref;
}

export interface DownControl {
  readonly kind: 'down';
  /** What was monitored, as it was named in the monitor signal. */
  readonly from: Pid | Atom;
  readonly to: Pid;
  readonly ref: Ref;
  readonly reason: unknown;
}

/** A peer asks for a process to be spawned here, which this library does not offer. */
export interface SpawnRequestControl {
  readonly kind: 'spawn_request';
  readonly request: Ref;
  readonly from: Pid;
}

export interface SpawnReplyControl {
  readonly kind: 'spawn_reply';
  readonly request: Ref;
  readonly to: Pid;
  /** Why it was not spawned, or the new process. */
  readonly result: Pid | Atom;
}

/** Understood, and of no meaning here: group leaders, replies to spawn requests that were never made. */
export interface IgnoredControl {
  readonly kind: 'ignored';
}

/** What this side sends. */
export type OutgoingControl =
  | SendControl
  | SendNamedControl
  | SendAliasControl
  | LinkControl
  | UnlinkControl
  | ExitControl
  | MonitorControl
  | DownControl
  | SpawnReplyControl;

/** What a peer may send. */
export type IncomingControl =
  | Exclude<OutgoingControl, SpawnReplyControl>
  | SpawnRequestControl
  | IgnoredControl;

/** First elements of control tuples. Those with `traced` carry a seq_trace token. */
export const op = {
  link: 1,
  send: 2,
  exit: 3,
  unlink: 4,
  sendNamed: 6,
  groupLeader: 7,
  exit2: 8,
  sendTraced: 12,
  exitTraced: 13,
  sendNamedTraced: 16,
  exit2Traced: 18,
  monitor: 19,
  demonitor: 20,
  down: 21,
  sendSender: 22,
  sendSenderTraced: 23,
  payloadExit: 24,
  payloadExitTraced: 25,
  payloadExit2: 26,
  payloadExit2Traced: 27,
  payloadDown: 28,
  spawnRequest: 29,
  spawnRequestTraced: 30,
  spawnReply: 31,
  spawnReplyTraced: 32,
  sendAlias: 33,
  sendAliasTraced: 34,
  unlinkId: 35,
  unlinkIdAck: 36,
} as const;

/** Distribution header tags behind the version byte, used when both sides can take fragments. */
export const header = { whole: 68, firstFragment: 69, nextFragment: 70 } as const;

/** First byte of a frame that carries version-tagged terms. */
export const passThrough = 112;
