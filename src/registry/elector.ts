// The elector: the process of a registry that deals with the store and with proofs of death, so that the member never
// waits for either. It carries operations of the protocol to the store, and asks the addresses of members that are not
// connected who listens there.
import { DGenError } from '../errors/error.ts';
import type { Log } from '../host/ports.ts';
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

/** To the elector: the link to that node is down. */
export class LinkLost {
  readonly node: string;

  constructor(node: string) {
    this.node = node;
  }
}

/** Elector to member: it does not. */
export class DeathProof {
  readonly member: MemberKey;

  constructor(member: MemberKey) {
    this.member = member;
  }
}

/**
 * A node has one member at a time, so a later one of the same start has seen the end of those before it. A later start of
 * the node proved the earlier ones dead on the machine where they ran, but for those that it lists.
 */
export function hasReplaced(later: MemberInfo, info: MemberInfo): boolean {
  if (later.creation === info.creation) return later.generation > info.generation;
  return later.creation > info.creation && !later.unprovenFormers.includes(info.creation);
}

function codeOf(error: unknown): string {
  return error instanceof DGenError ? error.code : String(error);
}

/** Milliseconds until the members are looked at again where they could not be watched. */
const unwatchedMs = 1_000;
/** Milliseconds in which changes of the membership gather. */
const settleMs = 20;
/**
 * Milliseconds between two looks of one elector for each member that there is: while members come and go all the time, all
 * electors together look no more than a hundred times a second, however many they are.
 */
const betweenLooksMs = 10;

const pausesMs = [0, 3, 10, 30, 100, 300, 1_000] as const;

/** `suspicion`: there is a sign that it ended, so an answer may be its last. `look`: nothing is known of it, and an answer is enough. */
type Reason = 'suspicion' | 'look';

export class Elector implements Behaviour {
  readonly #node: RegistryNode;
  readonly #coordination: Coordination;
  readonly #member: () => Pid | undefined;
  readonly #probing: Map<MemberKey, Reason> = new Map();
  /** Members without a link to here that answered when they were looked at, and gave no cause to suspect them since. */
  readonly #answered: Set<MemberKey> = new Set();
  /** The code of the failure that was logged last, until the store answers again. */
  #failing: string | undefined;
  /** The member that asked last. */
  #own: MemberInfo | undefined;

  constructor(node: RegistryNode, coordination: Coordination, member: () => Pid | undefined) {
    this.#node = node;
    this.#coordination = coordination;
    this.#member = member;
  }

  init(self: Process): void {
    this.#follow(self).catch((error: unknown) => {
      if (self.alive) self.runtime.host.log.error({ error }, 'registry: members are not watched any more');
    });
  }

  handle(message: unknown, self: Process): void {
    if (message instanceof StoreRequest) this.#carryOut(message, self);
    else if (message instanceof Suspicion) this.#probe(message.member, 'suspicion', self);
    else if (message instanceof LinkLost) this.#suspectAll(message.node, self);
  }

  #suspectAll(node: string, self: Process): void {
    for (const info of this.#coordination.infos.values())
      if (info.node === node && info.member !== this.#own?.member)
        this.#probe(info.member, 'suspicion', self);
  }

  /** Looks at the members whenever one comes or goes: with a leader that serves nobody else reads the store. */
  async #follow(self: Process): Promise<void> {
    const { signal } = self;
    const { clock } = self.runtime.host;
    while (!signal.aborted) {
      const lookedAt = clock.now();
      const watch = await this.#coordination.watchMembers(signal).catch(() => undefined);
      if (watch === undefined) {
        await this.#pause(unwatchedMs, self);
        continue;
      }
      const stop = (): void => watch.cancel();
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      if (this.#own !== undefined) this.#lookAtAll(this.#own, self);
      await watch.changed;
      signal.removeEventListener('abort', stop);
      const spacingMs = betweenLooksMs * this.#coordination.infos.size;
      await this.#pause(Math.max(settleMs, lookedAt + spacingMs - clock.now()), self);
    }
  }

  #carryOut(request: StoreRequest, self: Process): void {
    this.#own = request.own;
    this.#coordination.run(request.op, request.own, self.signal).then(
      (outcome) => {
        this.#tell(self, new StoreDone(request.id, outcome));
        this.#logFailure(self.runtime.host.log);
        // Who takes or has the office has to know of each of the dead.
        if (request.op.kind === 'write') this.#answered.clear();
        this.#lookAtAll(request.own, self);
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

  /** Once for each kind of failure in a row: an outage has many operations. */
  #logFailure(log: Log): void {
    const { failure } = this.#coordination;
    const code = failure === undefined ? undefined : codeOf(failure);
    if (code === this.#failing) return;
    this.#failing = code;
    if (code === undefined) log.info({}, 'registry: the store answers again');
    else log.warn({ code, error: failure }, 'registry: the store does not answer');
  }

  /** Each elector asks each member that it is not connected with, but once: of many members each would ask all at every change. */
  #lookAtAll(own: MemberInfo, self: Process): void {
    for (const member of this.#answered)
      if (!this.#coordination.infos.has(member)) this.#answered.delete(member);
    const byNode = new Map<string, MemberInfo[]>();
    for (const info of this.#coordination.infos.values()) {
      if (info.address !== null) this.#node.learnAddress(info.node, info.creation, info.address);
      const others = byNode.get(info.node);
      if (others === undefined) byNode.set(info.node, [info]);
      else others.push(info);
    }
    for (const infos of byNode.values()) {
      for (const info of infos) {
        if (info.member === own.member) continue;
        if (infos.some((other) => hasReplaced(other, info))) this.#tell(self, new DeathProof(info.member));
        else if (info.node !== own.node && this.#isUnknown(info)) this.#probe(info.member, 'look', self);
      }
    }
  }

  #isUnknown({ member, node }: MemberInfo): boolean {
    return !this.#node.isConnected(node) && !this.#answered.has(member);
  }

  #probe(member: MemberKey, reason: Reason, self: Process): void {
    if (reason === 'suspicion') this.#answered.delete(member);
    const isProbed = this.#probing.has(member);
    if (!isProbed || reason === 'suspicion') this.#probing.set(member, reason);
    if (isProbed) return;
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
      if (!self.alive || info === undefined || this.#node.isConnected(info.node)) return;
      const verdict = await this.#askAddressOf(info, self);
      if (verdict === 'dead') this.#tell(self, new DeathProof(member));
      if (verdict === 'alive' && this.#probing.get(member) === 'look') this.#answered.add(member);
      if (verdict === 'dead' || verdict === 'no proof' || this.#answered.has(member)) return;
    }
  }

  /** docs/PROTOCOL.md, "Proven dead". A refusal proves something only where the address certainly leads to that machine. */
  async #askAddressOf(
    { address, machineId, node, creation }: MemberInfo,
    self: Process,
  ): Promise<'dead' | 'alive' | 'unknown' | 'no proof'> {
    if (address === null || machineId !== this.#node.machineId) return 'no proof';
    const { verdict } = await this.#node.probe(address, { node, creation }, self.signal);
    // Somebody else at the very address: its listener is gone, as if it were refused.
    return verdict === 'refused' || verdict === 'other' ? 'dead' : verdict;
  }

  #pause(ms: number, self: Process): Promise<void> {
    if (ms === 0) return Promise.resolve();
    return new Promise((resolve) => {
      self.runtime.host.timers.after(ms, resolve, { background: true });
    });
  }
}
