// The elector: the process of a registry that deals with the store and with proofs of death, so that the member never
// waits for either. It carries operations of the protocol to the store, and asks the addresses of members that are not
// connected who listens there.
import type { Behaviour, Process } from '../process/types.ts';
import type { Pid } from '../term/pid.ts';
import type { Coordination, MemberInfo } from './coordination.ts';
import type { RegistryNode } from './host-node.ts';
import type { MemberKey, StoreOp, StoreOutcome } from './protocol/types.ts';

/** Member to elector: carry this out. */
export class StoreRequest {
  readonly id: number;
  readonly op: StoreOp;
  readonly own: MemberInfo;

  constructor(id: number, op: StoreOp, own: MemberInfo) {
    this.id = id;
    this.op = op;
    this.own = own;
  }
}

/** Elector to member: what came of it. */
export class StoreDone {
  readonly id: number;
  readonly outcome: StoreOutcome;

  constructor(id: number, outcome: StoreOutcome) {
    this.id = id;
    this.outcome = outcome;
  }
}

/** Member to elector: does that incarnation still run? */
export class Suspicion {
  readonly member: MemberKey;

  constructor(member: MemberKey) {
    this.member = member;
  }
}

/** Elector to member: it does not. */
export class DeathProof {
  readonly member: MemberKey;

  constructor(member: MemberKey) {
    this.member = member;
  }
}

const pausesMs = [0, 3, 10, 30, 100, 300, 1_000] as const;

export class Elector implements Behaviour {
  readonly #node: RegistryNode;
  readonly #coordination: Coordination;
  readonly #member: () => Pid | undefined;
  readonly #probing: Set<MemberKey> = new Set();

  constructor(node: RegistryNode, coordination: Coordination, member: () => Pid | undefined) {
    this.#node = node;
    this.#coordination = coordination;
    this.#member = member;
  }

  handle(message: unknown, self: Process): void {
    if (message instanceof StoreRequest) this.#carryOut(message, self);
    else if (message instanceof Suspicion) this.#suspect(message.member, self);
  }

  #carryOut(request: StoreRequest, self: Process): void {
    this.#coordination.run(request.op, request.own, self.signal).then(
      (outcome) => {
        this.#tell(self, new StoreDone(request.id, outcome));
        for (const info of this.#coordination.infos.values()) {
          if (info.member !== request.own.member) this.#look(info, request.own, self);
        }
      },
      // `run` turns every failure into an outcome; a defect there must not leave the member waiting.
      (error: unknown) => {
        self.runtime.host.log.error({ error }, 'registry: store operation failed');
        this.#tell(self, new StoreDone(request.id, { status: 'unknown' }));
      },
    );
  }

  #tell(self: Process, message: StoreDone | DeathProof): void {
    const member = this.#member();
    if (member !== undefined) self.send(member, message);
  }

  /**
   * A node has one member at a time, so another one of this very start has ended. A later start of a node that proved the
   * earlier ones dead, on the machine where they ran, proved it for everybody.
   */
  #look(info: MemberInfo, own: MemberInfo, self: Process): void {
    const replaced = info.node === own.node && info.creation === own.creation;
    if (replaced || this.#isProvenFormer(info)) this.#tell(self, new DeathProof(info.member));
    else if (info.node !== own.node && !this.#node.isConnected(info.node)) this.#suspect(info.member, self);
  }

  #isProvenFormer(info: MemberInfo): boolean {
    for (const later of this.#coordination.infos.values()) {
      const newer = later.node === info.node && later.creation > info.creation;
      if (newer && !later.unprovenFormers.includes(info.creation)) return true;
    }
    return false;
  }

  #suspect(member: MemberKey, self: Process): void {
    if (this.#probing.has(member)) return;
    this.#probing.add(member);
    this.#probeUntilCertain(member, self).then(
      () => this.#probing.delete(member),
      (error: unknown) => {
        this.#probing.delete(member);
        self.runtime.host.log.error({ error, member }, 'registry: probe failed');
      },
    );
  }

  async #probeUntilCertain(member: MemberKey, self: Process): Promise<void> {
    for (const pauseMs of pausesMs) {
      await this.#pause(pauseMs, self);
      const info = this.#coordination.infos.get(member);
      if (!self.alive || info === undefined || info.address === null || this.#node.isConnected(info.node))
        return;
      if (await this.#isDead(info, self)) {
        this.#tell(self, new DeathProof(member));
        return;
      }
    }
  }

  /** docs/PROTOCOL.md, "Proven dead". A refusal proves something only where the address certainly leads to that machine. */
  async #isDead(info: MemberInfo, self: Process): Promise<boolean> {
    if (info.address === null) return false;
    const answer = await this.#node.probe(
      info.address,
      { node: info.node, creation: info.creation },
      self.signal,
    );
    const sameMachine = info.machineId === this.#node.machineId;
    // Somebody else at the very address: its listener is gone, as if it were refused.
    return sameMachine && (answer.verdict === 'refused' || answer.verdict === 'other');
  }

  #pause(ms: number, self: Process): Promise<void> {
    if (ms === 0) return Promise.resolve();
    return new Promise((resolve) => {
      self.runtime.host.timers.after(ms, resolve, { background: true });
    });
  }
}
