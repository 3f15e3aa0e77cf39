// What the runtime and the distribution ask of each other. The runtime owns processes and their links and monitors;
// the distribution owns connections. Neither imports the other: the composition root joins them by these two interfaces.
import type { Atom } from '../term/atom.ts';
import type { Pid } from '../term/pid.ts';
import type { Ref } from '../term/ref.ts';

export interface NamedTarget {
  readonly name: Atom;
  readonly node: Atom;
}

/**
 * Runtime to distribution: signals for processes of other nodes. All return at once; the order of signals from one
 * process to one process is kept (Erlang reference manual, "Processes", delivery of signals). Without a connection the
 * node dials, and signals wait in a bounded queue; where no connection can be made they are dropped, and every link and
 * monitor asked for fires with `noconnection` through `Inbound.nodeDown`.
 *
 * Throws `not_encodable` or `term_too_large` before a byte is written, `send_buffer_full` at the bound of the link
 * (only from the three sends), `unknown_node` never: a node without an address is a `noconnection`.
 */
export interface Outbound {
  send(from: Pid, to: Pid, message: unknown): void;
  sendNamed(from: Pid, to: NamedTarget, message: unknown): void;
  sendAlias(from: Pid, alias: Ref, message: unknown): void;
  link(from: Pid, to: Pid): void;
  unlink(from: Pid, to: Pid, id: number): void;
  unlinkAck(from: Pid, to: Pid, id: number): void;
  /** A link broke: `from` exited. */
  exit(from: Pid, to: Pid, reason: unknown): void;
  /** `exit(Pid, Reason)` called by `from`. */
  exit2(from: Pid, to: Pid, reason: unknown): void;
  monitor(from: Pid, to: Pid | NamedTarget, ref: Ref): void;
  demonitor(from: Pid, to: Pid | NamedTarget, ref: Ref): void;
  /** Answers a peer's monitor: `from` is the pid, or the local name, exactly as it was monitored. */
  down(from: Pid | Atom, to: Pid, ref: Ref, reason: unknown): void;
  /** True when a connection to the node is up now. */
  isConnected(node: Atom): boolean;
  /** Runs `onRoom` once when the link to `node` has room again, or is gone. */
  whenWritable(node: Atom, onRoom: () => void): void;
}

/** A call on its way out: its number, which is never used again, and what is asked. */
export interface OutgoingRequest {
  readonly number: number;
  readonly request: unknown;
}

/**
 * One connection to a node of this library that takes calls in a private form: the frames hold what the connection does not know
 * already. Order is that of the connection, together with every other signal. After the end of the connection each of these does
 * nothing: `Inbound.nodeDown` tells of it.
 *
 * `call` and `answer` throw `not_encodable` or `term_too_large` before a byte is written, `send_buffer_full` at the bound
 * of the link; `calleeGone` throws the first two.
 */
export interface CallChannel {
  /** The node at the other end. */
  readonly node: Atom;
  call(from: Pid, to: Pid | NamedTarget, request: OutgoingRequest): void;
  /** Answers the call of that number, which came on this connection. */
  answer(number: number, reply: unknown): void;
  /** The callee of that call ended, or was not there. */
  calleeGone(number: number, reason: unknown): void;
  /** The caller of that call waits no longer. */
  givenUp(number: number): void;
}

/** Calls as `CallChannel` sends them, from the peer of a connection. None throws. */
export interface InboundCalls {
  onCall(channel: CallChannel, number: number, from: Pid, to: Pid | Atom, request: unknown): void;
  onAnswer(channel: CallChannel, number: number, reply: unknown): void;
  onCalleeGone(channel: CallChannel, number: number, reason: unknown): void;
  onGivenUp(channel: CallChannel, number: number): void;
}

export interface ConnectedPeer {
  /** Tells a node of this library, which understands the private term forms, from an Erlang one. */
  readonly kind: 'typescript' | 'erlang';
  readonly creation: number;
  /** Absent where one of the two sides does not take calls in the private form. */
  readonly channel?: CallChannel;
}

/** Distribution to runtime: signals from other nodes, in the order of the link. None throws; pids of an earlier creation of this node are treated as dead. */
export interface Inbound {
  onSend(from: Pid | undefined, to: Pid, message: unknown): void;
  onSendNamed(from: Pid, name: Atom, message: unknown): void;
  onSendAlias(alias: Ref, message: unknown): void;
  onLink(from: Pid, to: Pid): void;
  onUnlink(from: Pid, to: Pid, id: number): void;
  onUnlinkAck(from: Pid, to: Pid, id: number): void;
  onExit(from: Pid, to: Pid, reason: unknown): void;
  onExit2(from: Pid, to: Pid, reason: unknown): void;
  onMonitor(from: Pid, to: Pid | Atom, ref: Ref): void;
  onDemonitor(from: Pid, to: Pid | Atom, ref: Ref): void;
  onDown(from: Pid | Atom, to: Pid, ref: Ref, reason: unknown): void;
  /** Absent: calls come as messages, in Erlang's form, from every peer. */
  readonly calls?: InboundCalls;
  /** The connection is usable. */
  nodeUp(node: Atom, peer: ConnectedPeer): void;
  /** The connection is gone, or could not be made: everything that hangs on it fires with `noconnection`. */
  nodeDown(node: Atom, reason: string): void;
}
