// Monitors: one-way, fire once, gone with their owner. A monitor hangs on its target (or on the peer, for a process of
// another node) and on its owner, and leaves both whichever way it ends.
import type { Atom } from '../term/atom.ts';
import { atom } from '../term/atom.ts';
import { Pid } from '../term/pid.ts';
import type { Ref } from '../term/ref.ts';
import type { Delivery } from './delivery.ts';
import type { NamedTarget } from './distribution-port.ts';
import { Down } from './messages.ts';
import type { Names } from './names.ts';
import type { Peer, Peers } from './peers.ts';
import type { ProcessTable } from './process-table.ts';
import { noconnection, noproc } from './reasons.ts';
import type { ProcessRecord } from './record.ts';
import type { References } from './references.ts';
import { sendReason } from './remote-reason.ts';
import type { LocalName, ViaName } from './types.ts';

/** Hangs on a process and is told of its end, once. */
export interface Watcher {
  fire(reason: unknown): void;
}

/** A monitor set by a process of this node, on a process of any. */
export class DownMonitor implements Watcher {
  readonly number: number;
  readonly owner: ProcessRecord;
  readonly target: Pid | NamedTarget;
  watched: ProcessRecord | undefined = undefined;
  /** For a process of another node: what it hangs on there, and where its answer is looked up. */
  peer: Peer | undefined = undefined;
  remote: Map<number, DownMonitor> | undefined = undefined;
  readonly #notify: (reason: unknown) => void;

  constructor(
    number: number,
    where: { owner: ProcessRecord; target: Pid | NamedTarget },
    notify: (reason: unknown) => void,
  ) {
    this.number = number;
    this.owner = where.owner;
    this.target = where.target;
    this.#notify = notify;
  }

  fire(reason: unknown): void {
    this.detach();
    this.#notify(reason);
  }

  detach(): void {
    this.owner.monitors?.delete(this.number);
    this.watched?.watchers?.delete(this);
    this.peer?.monitors.delete(this);
    this.remote?.delete(this.number);
  }
}

/** A monitor set by a process of another node, on one of this. */
export class PeerWatcher implements Watcher {
  readonly peer: Peer;
  readonly watched: ProcessRecord;
  readonly key: string;
  readonly #tell: (reason: unknown) => void;

  constructor(where: { peer: Peer; watched: ProcessRecord; key: string }, tell: (reason: unknown) => void) {
    this.peer = where.peer;
    this.watched = where.watched;
    this.key = where.key;
    this.#tell = tell;
  }

  fire(reason: unknown): void {
    this.detach();
    this.#tell(reason);
  }

  detach(): void {
    this.watched.watchers?.delete(this);
    this.peer.watchers.delete(this.key);
  }
}

export interface MonitorParts {
  readonly table: ProcessTable;
  readonly names: Names;
  readonly references: References;
  readonly delivery: Delivery;
  readonly peers: Peers;
}

export class Monitors {
  readonly #parts: MonitorParts;
  /** On processes of other nodes, by number. */
  readonly #remote = new Map<number, DownMonitor>();

  constructor(parts: MonitorParts) {
    this.#parts = parts;
  }

  /** Monitors on processes of other nodes. */
  get remoteCount(): number {
    return this.#remote.size;
  }

  /** `self.monitor`. */
  monitor(owner: ProcessRecord, to: Pid | LocalName | NamedTarget): Ref {
    const number = this.#parts.references.nextNumber();
    const ref = this.#parts.references.refOf(number);
    const target = this.#targetOf(to);
    const notify = (reason: unknown): void => {
      this.#parts.delivery.deliverSignal(owner, new Down(ref, target, reason));
    };
    if (owner.alive) this.#set(new DownMonitor(number, { owner, target }, notify), ref);
    return ref;
  }

  /** A monitor on a name that nothing has. */
  absent(owner: ProcessRecord, target: ViaName): Ref {
    const ref = this.#parts.references.refOf(this.#parts.references.nextNumber());
    if (owner.alive) this.#parts.delivery.deliverSignal(owner, new Down(ref, target, noproc));
    return ref;
  }

  /** Runs `notify` with the reason when the process ends; at once with `noproc` where nothing runs. */
  watch(owner: ProcessRecord, target: Pid, notify: (reason: unknown) => void): DownMonitor {
    const number = this.#parts.references.nextNumber();
    const monitor = new DownMonitor(number, { owner, target }, notify);
    this.#set(monitor, this.#parts.references.refOf(number));
    return monitor;
  }

  /** `self.demonitor`: also takes back a message that waits. */
  demonitor(owner: ProcessRecord, ref: Ref): void {
    const number = this.#parts.references.numberOf(ref);
    if (number === undefined) return;
    const monitor = owner.monitors?.get(number);
    if (monitor === undefined) removeWaitingDown(owner, ref);
    else this.unwatch(monitor);
  }

  unwatch(monitor: DownMonitor): void {
    monitor.detach();
    if (monitor.peer === undefined) return;
    const ref = this.#parts.references.refOf(monitor.number);
    this.#parts.peers.outbound?.demonitor(monitor.owner.pid, monitor.target, ref);
  }

  /** A peer monitors a process here, by pid or by name. */
  onMonitor(from: Pid, to: Pid | Atom, ref: Ref): void {
    const { table, names, peers } = this.#parts;
    const watched = to instanceof Pid ? table.get(to) : names.get(to);
    const tell = (reason: unknown): void =>
      sendReason(reason, (sent) => peers.outbound?.down(to, from, ref, sent));
    if (watched === undefined) {
      tell(noproc);
      return;
    }
    const peer = peers.of(from.node);
    const watcher = new PeerWatcher({ peer, watched, key: ref.key }, tell);
    peer.watchers.get(watcher.key)?.detach();
    peer.watchers.set(watcher.key, watcher);
    watched.watchers ??= new Set();
    watched.watchers.add(watcher);
  }

  onDemonitor(from: Pid, ref: Ref): void {
    this.#parts.peers.get(from.node)?.watchers.get(ref.key)?.detach();
  }

  onDown(number: number, reason: unknown): void {
    this.#remote.get(number)?.fire(reason);
  }

  onNodeDown(peer: Peer): void {
    for (const watcher of [...peer.watchers.values()]) watcher.detach();
    for (const monitor of [...peer.monitors]) monitor.fire(noconnection);
  }

  bury(record: ProcessRecord, reason: unknown): void {
    if (record.monitors !== undefined) {
      for (const monitor of [...record.monitors.values()]) this.unwatch(monitor);
    }
    if (record.watchers === undefined) return;
    for (const watcher of [...record.watchers]) watcher.fire(reason);
  }

  #targetOf(to: Pid | LocalName | NamedTarget): Pid | NamedTarget {
    if (typeof to === 'string') return { name: atom(to), node: this.#parts.table.node };
    return to instanceof Pid || 'node' in to ? to : { name: to, node: this.#parts.table.node };
  }

  #set(monitor: DownMonitor, ref: Ref): void {
    const { target } = monitor;
    if (target.node === this.#parts.table.node) this.#setLocal(monitor);
    else this.#setRemote(monitor, ref);
  }

  #setLocal(monitor: DownMonitor): void {
    const { table, names } = this.#parts;
    const { target } = monitor;
    const watched = target instanceof Pid ? table.get(target) : names.get(target.name);
    if (watched === undefined) {
      monitor.fire(noproc);
      return;
    }
    monitor.watched = watched;
    watched.watchers ??= new Set();
    watched.watchers.add(monitor);
    enlist(monitor);
  }

  #setRemote(monitor: DownMonitor, ref: Ref): void {
    const { outbound } = this.#parts.peers;
    if (outbound === undefined) {
      monitor.fire(noconnection);
      return;
    }
    monitor.peer = this.#parts.peers.of(monitor.target.node);
    monitor.peer.monitors.add(monitor);
    monitor.remote = this.#remote;
    this.#remote.set(monitor.number, monitor);
    enlist(monitor);
    outbound.monitor(monitor.owner.pid, monitor.target, ref);
  }
}

function enlist(monitor: DownMonitor): void {
  monitor.owner.monitors ??= new Map();
  monitor.owner.monitors.set(monitor.number, monitor);
}

function removeWaitingDown(owner: ProcessRecord, ref: Ref): void {
  for (let index = 0; index < owner.mailbox.size; index++) {
    const message = owner.mailbox.at(index);
    if (!(message instanceof Down) || !message.ref.equals(ref)) continue;
    owner.mailbox.removeAt(index);
    owner.receiver?.removedAt(index);
    return;
  }
}
