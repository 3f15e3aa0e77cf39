// Links. Between processes of this node a link is a pair of set entries. To another node each side keeps its own end,
// and signals may cross: an unlink is only done when the other side has acknowledged it, and until then an exit from
// there is ignored (Erlang distribution protocol, "Link protocol"):
//
//   1. A unlinks B: A's end keeps the id and is inactive; UNLINK_ID travels.
//   2. B died meanwhile: its EXIT arrives at A, and must not kill A. It is dropped because the end is inactive.
//   3. A links B again before the answer: the end is active at once, and the late acknowledgement matches nothing.
import type { Pid } from '../term/pid.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Peer, Peers, RemoteLink } from './peers.ts';
import type { ProcessTable } from './process-table.ts';
import { noconnection, noproc } from './reasons.ts';
import type { ProcessRecord } from './record.ts';
import { sendReason } from './remote-reason.ts';

export class Links {
  readonly #table: ProcessTable;
  readonly #lifecycle: Lifecycle;
  readonly #peers: Peers;
  #lastUnlinkId = 0;

  constructor(table: ProcessTable, lifecycle: Lifecycle, peers: Peers) {
    this.#table = table;
    this.#lifecycle = lifecycle;
    this.#peers = peers;
  }

  /** To a process that is not there: an exit signal `noproc`. */
  link(record: ProcessRecord, to: Pid): void {
    if (!record.alive) return;
    if (!this.#table.isLocal(to)) {
      this.#linkRemote(record, to);
      return;
    }
    const other = this.#table.get(to);
    if (other === record) return;
    if (other === undefined) this.#lifecycle.linkBroke(record, to, noproc);
    else join(record, other);
  }

  unlink(record: ProcessRecord, from: Pid): void {
    if (!record.alive) return;
    if (!this.#table.isLocal(from)) {
      this.#unlinkRemote(record, from);
      return;
    }
    const other = this.#table.get(from);
    if (other === undefined) return;
    record.links?.delete(other);
    other.links?.delete(record);
  }

  onLink(from: Pid, to: Pid): void {
    const record = this.#table.get(to);
    if (record === undefined) this.#peers.outbound?.exit(to, from, noproc);
    // An end that is being unlinked stays so: the peer linked before it knew, and our unlink will reach it.
    else if (record.remoteLinks?.get(from.key) === undefined) this.#add(record, from);
  }

  onUnlink(from: Pid, to: Pid, id: number): void {
    const link = this.#find(from, to);
    // While our own unlink is on its way the end is kept for its acknowledgement.
    if (link !== undefined && link.unlinkId === 0) drop(link);
    this.#peers.outbound?.unlinkAck(to, from, id);
  }

  onUnlinkAck(from: Pid, to: Pid, id: number): void {
    const link = this.#find(from, to);
    if (link !== undefined && link.unlinkId === id) drop(link);
  }

  onExit(from: Pid, to: Pid, reason: unknown): void {
    const link = this.#find(from, to);
    if (link === undefined) return;
    drop(link);
    if (link.unlinkId === 0) this.#lifecycle.linkBroke(link.local, from, reason);
  }

  onNodeDown(peer: Peer): void {
    for (const link of [...peer.links]) {
      drop(link);
      if (link.unlinkId === 0) this.#lifecycle.linkBroke(link.local, link.remote, noconnection);
    }
  }

  bury(record: ProcessRecord, reason: unknown): void {
    const { links, remoteLinks } = record;
    record.links = undefined;
    record.remoteLinks = undefined;
    if (links !== undefined) {
      for (const other of links) other.links?.delete(record);
      for (const other of links) this.#lifecycle.linkBroke(other, record.pid, reason);
    }
    if (remoteLinks === undefined) return;
    for (const link of remoteLinks.values()) this.#breakRemote(link, reason);
  }

  #breakRemote(link: RemoteLink, reason: unknown): void {
    link.peer.links.delete(link);
    if (link.unlinkId !== 0) return;
    sendReason(reason, (sent) => this.#peers.outbound?.exit(link.local.pid, link.remote, sent));
  }

  #linkRemote(record: ProcessRecord, to: Pid): void {
    const { outbound } = this.#peers;
    if (outbound === undefined) {
      this.#lifecycle.linkBroke(record, to, noconnection);
      return;
    }
    const known = record.remoteLinks?.get(to.key);
    if (known !== undefined && known.unlinkId === 0) return;
    if (known === undefined) this.#add(record, to);
    else known.unlinkId = 0;
    outbound.link(record.pid, to);
  }

  #unlinkRemote(record: ProcessRecord, from: Pid): void {
    const link = record.remoteLinks?.get(from.key);
    if (link === undefined || link.unlinkId !== 0) return;
    this.#lastUnlinkId += 1;
    link.unlinkId = this.#lastUnlinkId;
    this.#peers.outbound?.unlink(record.pid, from, link.unlinkId);
  }

  #add(record: ProcessRecord, remote: Pid): void {
    const peer = this.#peers.of(remote.node);
    const link: RemoteLink = { local: record, remote, peer, unlinkId: 0 };
    record.remoteLinks ??= new Map();
    record.remoteLinks.set(remote.key, link);
    peer.links.add(link);
  }

  #find(remote: Pid, local: Pid): RemoteLink | undefined {
    return this.#table.get(local)?.remoteLinks?.get(remote.key);
  }
}

function join(one: ProcessRecord, other: ProcessRecord): void {
  one.links ??= new Set();
  one.links.add(other);
  other.links ??= new Set();
  other.links.add(one);
}

function drop(link: RemoteLink): void {
  link.local.remoteLinks?.delete(link.remote.key);
  link.peer.links.delete(link);
}
