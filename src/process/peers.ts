// What hangs on each other node: links, monitors and calls in both directions. When the connection goes, all of it
// fires with `noconnection`, and the peer is forgotten. Also the door to the distribution, which may be absent: then
// every other node is one that is not connected.
import { DGenError } from '../errors/error.ts';
import type { Atom } from '../term/atom.ts';
import type { Pid } from '../term/pid.ts';
import { CallList } from './call-table.ts';
import type { CallChannel, Outbound } from './distribution-port.ts';
import type { IncomingCall } from './incoming-call.ts';
import type { DownMonitor, PeerWatcher } from './monitors.ts';
import { Outbox } from './outbox.ts';
import type { ProcessRecord } from './record.ts';

/** One end of a link between a process here and one of another node. */
export interface RemoteLink {
  readonly local: ProcessRecord;
  readonly remote: Pid;
  readonly peer: Peer;
  /** Of an unlink that is not acknowledged yet: until then the link is not active. 0: active. */
  unlinkId: number;
}

export class Peer {
  readonly node: Atom;
  /** Undefined until the connection has been up. */
  kind: 'typescript' | 'erlang' | undefined = undefined;
  /** While the connection is up and takes calls in the private form. */
  channel: CallChannel | undefined = undefined;
  readonly links: Set<RemoteLink> = new Set();
  /** Monitors of processes there, set here. */
  readonly monitors: Set<DownMonitor> = new Set();
  /** Monitors of processes here, set there: by the key of their reference. */
  readonly watchers: Map<string, PeerWatcher> = new Map();
  /** Calls to processes there that wait for an answer. */
  readonly calls: CallList = new CallList();
  /** Requests from there that were taken from a mailbox and are not answered yet. */
  readonly openRequests: Set<IncomingCall> = new Set();
  readonly outbox: Outbox = new Outbox();

  constructor(node: Atom) {
    this.node = node;
  }

  get isIdle(): boolean {
    const held = this.links.size + this.monitors.size + this.watchers.size + this.calls.size;
    return held + this.openRequests.size + this.outbox.size === 0;
  }
}

export class Peers {
  outbound: Outbound | undefined = undefined;
  readonly #peers = new Map<Atom, Peer>();

  /** The peer of that name, made when first heard of. */
  of(node: Atom): Peer {
    const known = this.#peers.get(node);
    if (known !== undefined) return known;
    const peer = new Peer(node);
    this.#peers.set(node, peer);
    return peer;
  }

  get(node: Atom): Peer | undefined {
    return this.#peers.get(node);
  }

  delete(node: Atom): void {
    this.#peers.delete(node);
  }

  list(): Peer[] {
    return [...this.#peers.values()];
  }

  /** Throws `send_buffer_full` while others wait for room, so that nothing overtakes them. */
  checkRoom(node: Atom): void {
    const waiting = this.#peers.get(node)?.outbox.size ?? 0;
    if (waiting === 0) return;
    throw new DGenError('send_buffer_full', `the link to ${node.name} has no room`, { details: { waiting } });
  }
}
