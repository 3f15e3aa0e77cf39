// Signals from other nodes. What a peer may get wrong costs the process it addresses at most, never this node: unknown
// pids, stale creations and references that nothing hangs on are passed over, or answered as for the dead.
import type { Log } from '../host/ports.ts';
import type { Atom } from '../term/atom.ts';
import { Pid } from '../term/pid.ts';
import type { Ref } from '../term/ref.ts';
import type { Aliases } from './aliases.ts';
import type { Calls } from './calls.ts';
import type { ConnectedPeer, Inbound, InboundCalls } from './distribution-port.ts';
import { aliasOfTag, type GenRequest, parseAnswer, parseRequest } from './gen-protocol.ts';
import { TaggedCall } from './incoming-call.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Links } from './links.ts';
import { Cast } from './messages.ts';
import type { Monitors } from './monitors.ts';
import type { Names } from './names.ts';
import { NumberedCalls } from './numbered-calls.ts';
import type { Peers } from './peers.ts';
import type { ProcessTable } from './process-table.ts';
import { noproc } from './reasons.ts';
import type { ProcessRecord } from './record.ts';
import type { References } from './references.ts';
import type { RemoteAnswers } from './remote-answers.ts';

export interface InboundParts {
  readonly table: ProcessTable;
  readonly names: Names;
  readonly aliases: Aliases;
  readonly references: References;
  readonly lifecycle: Lifecycle;
  readonly links: Links;
  readonly monitors: Monitors;
  readonly calls: Calls;
  readonly answers: RemoteAnswers;
  readonly peers: Peers;
  readonly log: Log;
}

type GenCall = Extract<GenRequest, { kind: 'call' }>;

export class InboundSignals implements Inbound {
  readonly calls: InboundCalls;
  readonly #parts: InboundParts;

  constructor(parts: InboundParts) {
    this.calls = new NumberedCalls(parts);
    this.#parts = parts;
  }

  onSend(_from: Pid | undefined, to: Pid, message: unknown): void {
    this.#accept(this.#parts.table.get(to), to, message);
  }

  onSendNamed(_from: Pid, name: Atom, message: unknown): void {
    this.#accept(this.#parts.names.get(name), name, message);
  }

  onSendAlias(alias: Ref, message: unknown): void {
    const record = this.#parts.aliases.get(alias);
    if (record !== undefined) {
      this.#deliver(record, record.pid, message);
      return;
    }
    const answer = parseAnswer(message);
    if (answer !== undefined) this.#onAnswer(answer.alias, answer.reply);
  }

  onLink(from: Pid, to: Pid): void {
    this.#parts.links.onLink(from, to);
  }

  onUnlink(from: Pid, to: Pid, id: number): void {
    this.#parts.links.onUnlink(from, to, id);
  }

  onUnlinkAck(from: Pid, to: Pid, id: number): void {
    this.#parts.links.onUnlinkAck(from, to, id);
  }

  onExit(from: Pid, to: Pid, reason: unknown): void {
    this.#parts.links.onExit(from, to, reason);
  }

  onExit2(from: Pid, to: Pid, reason: unknown): void {
    const record = this.#parts.table.get(to);
    if (record !== undefined) this.#parts.lifecycle.exitFromPeer(record, from, reason);
  }

  onMonitor(from: Pid, to: Pid | Atom, ref: Ref): void {
    this.#parts.monitors.onMonitor(from, to, ref);
  }

  onDemonitor(from: Pid, to: Pid | Atom, ref: Ref): void {
    this.#parts.monitors.onDemonitor(from, ref);
    const record = to instanceof Pid ? this.#parts.table.get(to) : this.#parts.names.get(to);
    forgetRequest(record, ref);
  }

  // biome-ignore lint/complexity/useMaxParams: the port's signature
  onDown(_from: Pid | Atom, _to: Pid, ref: Ref, reason: unknown): void {
    const number = this.#parts.references.numberOf(ref);
    if (number === undefined) return;
    this.#parts.monitors.onDown(number, reason);
    this.#parts.calls.onDown(number, reason);
  }

  nodeUp(node: Atom, { kind, channel }: ConnectedPeer): void {
    const peer = this.#parts.peers.of(node);
    peer.kind = kind;
    peer.channel = channel;
  }

  nodeDown(node: Atom, reason: string): void {
    const peer = this.#parts.peers.get(node);
    if (peer === undefined) return;
    this.#parts.log.debug({ node: node.name, reason }, 'a node is out of reach');
    // Forgotten first: what the processes do because of this belongs to the next connection.
    this.#parts.peers.delete(node);
    peer.channel = undefined;
    this.#parts.calls.onNodeDown(peer);
    this.#parts.monitors.onNodeDown(peer);
    this.#parts.links.onNodeDown(peer);
  }

  #accept(record: ProcessRecord | undefined, to: Pid | Atom, message: unknown): void {
    const answer = parseAnswer(message);
    if (answer === undefined || !this.#onAnswer(answer.alias, answer.reply))
      this.#deliver(record, to, message);
  }

  #deliver(record: ProcessRecord | undefined, to: Pid | Atom, message: unknown): void {
    const gen = parseRequest(message);
    if (gen?.kind === 'call') this.#acceptCall(record, to, gen);
    else if (record !== undefined) {
      this.#parts.lifecycle.deliverFromPeer(record, gen?.kind === 'cast' ? new Cast(gen.request) : message);
    }
  }

  #acceptCall(callee: ProcessRecord | undefined, to: Pid | Atom, call: GenCall): void {
    const peer = this.#parts.peers.of(call.pid.node);
    if (callee !== undefined) {
      const message = new TaggedCall(call, { callee, peer, answers: this.#parts.answers });
      this.#parts.lifecycle.deliverFromPeer(callee, message);
      if (!callee.alive) message.calleeDied(callee.exitReason);
      return;
    }
    const alias = aliasOfTag(call.tag);
    if (alias === undefined || peer.kind !== 'typescript') return;
    this.#parts.peers.outbound?.down(to, call.pid, alias, noproc);
  }

  /** True when the answer is to a call of this runtime, be it one that has ended: then it is nobody's. */
  #onAnswer(alias: Ref, reply: unknown): boolean {
    const number = this.#parts.references.numberOf(alias);
    if (number === undefined) return false;
    this.#parts.calls.onAnswer(number, reply);
    return true;
  }
}

/** The caller gave up. Oldest first: that is who times out. */
function forgetRequest(record: ProcessRecord | undefined, ref: Ref): void {
  if (record?.openRequests === undefined) return;
  for (const request of record.openRequests) {
    if (!(request instanceof TaggedCall) || request.alias?.equals(ref) !== true) continue;
    request.callerGone();
    return;
  }
}
