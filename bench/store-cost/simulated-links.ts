// Links between the runtimes of a simulated cluster: a signal takes a millisecond, all arrive in the order in which they were
// sent, and who addresses a node is connected to it. Values are handed over as they are: encoding is measured elsewhere.

import type { Timers } from '../../src/host/ports.ts';
import type { Inbound, Outbound } from '../../src/process/index.ts';
import { type Atom, atom } from '../../src/term/index.ts';

export interface Endpoint {
  readonly name: string;
  readonly inbound: Inbound;
  readonly creation: number;
  /** It dialled another node: what that costs is its own affair. */
  dialled(node: string): void;
  linkChanged(node: string, up: boolean): void;
  beforeInput(): void;
}

const latencyMs = 1;

type Deliver = (inbound: Inbound) => void;

export class SimulatedLinks {
  readonly #timers: Timers;
  readonly #endpoints: Map<string, Endpoint> = new Map();
  readonly #links: Map<string, Set<string>> = new Map();
  #underWay: (() => void)[] = [];

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** The outbound side of a new endpoint. */
  join(endpoint: Endpoint): Outbound {
    this.#endpoints.set(endpoint.name, endpoint);
    this.#links.set(endpoint.name, new Set());
    return outboundOf(endpoint.name, this);
  }

  /** The endpoint is gone, as a killed process is: everybody it had a link with notices. */
  kill(name: string): void {
    this.#endpoints.delete(name);
    const peers = this.#links.get(name) ?? new Set();
    this.#links.delete(name);
    for (const peer of peers) {
      this.#links.get(peer)?.delete(name);
      this.#later(() => this.#tell(peer, name, false));
    }
  }

  isUp(name: string): boolean {
    return this.#endpoints.has(name);
  }

  isConnected(from: string, to: string): boolean {
    return this.#links.get(from)?.has(to) === true;
  }

  /** False where nobody is there. */
  connect(from: string, to: string): boolean {
    if (this.isConnected(from, to)) return true;
    const dialling = this.#endpoints.get(from);
    if (dialling === undefined) return false;
    dialling.dialled(to);
    if (!this.#endpoints.has(to)) return false;
    this.#links.get(from)?.add(to);
    this.#links.get(to)?.add(from);
    for (const [here, there] of [
      [from, to],
      [to, from],
    ] as const)
      this.#later(() => this.#tell(here, there, true));
    return true;
  }

  transmit(from: string, to: string, deliver: Deliver): void {
    if (!this.connect(from, to)) {
      this.#later(() => this.#endpoints.get(from)?.inbound.nodeDown(atom(to), 'nobody there'));
      return;
    }
    this.#later(() => {
      const endpoint = this.#endpoints.get(to);
      endpoint?.beforeInput();
      if (endpoint !== undefined) deliver(endpoint.inbound);
    });
  }

  /** There is always room. */
  soon(action: () => void): void {
    this.#timers.defer(action);
  }

  #tell(name: string, peer: string, up: boolean): void {
    const endpoint = this.#endpoints.get(name);
    if (endpoint === undefined) return;
    const creation = this.#endpoints.get(peer)?.creation ?? 1;
    if (up) endpoint.inbound.nodeUp(atom(peer), { kind: 'typescript', creation });
    else endpoint.inbound.nodeDown(atom(peer), 'its process ended');
    endpoint.linkChanged(peer, up);
  }

  /** One timer for all that is sent within a millisecond. */
  #later(action: () => void): void {
    this.#underWay.push(action);
    if (this.#underWay.length > 1) return;
    this.#timers.after(latencyMs, () => {
      const arrived = this.#underWay;
      this.#underWay = [];
      for (const arrive of arrived) arrive();
    });
  }
}

function outboundOf(self: string, links: SimulatedLinks): Outbound {
  const to = (node: Atom, deliver: Deliver): void => links.transmit(self, node.name, deliver);
  return {
    send: (from, pid, message) => to(pid.node, (inbound) => inbound.onSend(from, pid, message)),
    sendNamed: (from, { name, node }, message) =>
      to(node, (inbound) => inbound.onSendNamed(from, name, message)),
    sendAlias: (_from, alias, message) => to(alias.node, (inbound) => inbound.onSendAlias(alias, message)),
    link: (from, pid) => to(pid.node, (inbound) => inbound.onLink(from, pid)),
    unlink: (from, pid, id) => to(pid.node, (inbound) => inbound.onUnlink(from, pid, id)),
    unlinkAck: (from, pid, id) => to(pid.node, (inbound) => inbound.onUnlinkAck(from, pid, id)),
    exit: (from, pid, reason) => to(pid.node, (inbound) => inbound.onExit(from, pid, reason)),
    exit2: (from, pid, reason) => to(pid.node, (inbound) => inbound.onExit2(from, pid, reason)),
    monitor: (from, target, ref) =>
      to(target.node, (inbound) => inbound.onMonitor(from, 'name' in target ? target.name : target, ref)),
    demonitor: (from, target, ref) =>
      to(target.node, (inbound) => inbound.onDemonitor(from, 'name' in target ? target.name : target, ref)),
    // biome-ignore lint/complexity/useMaxParams: the port's signature
    down: (from, pid, ref, reason) => to(pid.node, (inbound) => inbound.onDown(from, pid, ref, reason)),
    isConnected: (node) => links.isConnected(self, node.name),
    whenWritable: (_node, onRoom) => links.soon(onRoom),
  };
}
