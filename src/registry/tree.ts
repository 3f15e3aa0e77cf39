// The processes of one registry on one node: a supervisor over elector and member, started and stopped together. If
// either fails both start anew, as a fresh incarnation; what the old one had registered ends with it.
import { DGenError } from '../errors/error.ts';
import { type ChildSpec, Supervisor, start, stop } from '../otp/index.ts';
import type { Runtime } from '../process/types.ts';
import type { Tenant } from '../storage/index.ts';
import { Atom, atom, inspect, type Pid, termKey } from '../term/index.ts';
import { Coordination, type MemberInfo } from './coordination.ts';
import type { Driver, Wait } from './driver.ts';
import { Elector } from './elector.ts';
import type { RegistryNode } from './host-node.ts';
import { Member } from './member.ts';
import { type CheckedOptions, checkOptions, type RegistryOptions } from './options.ts';
import { type MemberKey, nodeOf } from './protocol/types.ts';

export interface TreeOrder {
  readonly supName: unknown;
  readonly name: unknown;
  readonly tenant: Tenant;
  readonly options: RegistryOptions & { readonly link?: Pid };
}

/** Text that stands for a name of any type, different for different names: itself, or its canonical form in hexadecimal. */
function textOf(name: unknown): string {
  if (name instanceof Atom) return name.name;
  const key = termKey(name);
  if (typeof key === 'string' && key.charCodeAt(0) !== 0 && /^[\w.@:/ -]{1,100}$/.test(key)) return key;
  return Array.from(String(key), (char) => char.charCodeAt(0).toString(16).padStart(2, '0'))
    .join('')
    .slice(0, 200);
}

/** The processes, and how they are reached. Start it once; close it in every case. */
export class RegistryTree {
  readonly electorName: Atom;
  readonly memberName: Atom;
  readonly options: CheckedOptions;
  readonly #node: RegistryNode;
  readonly #order: TreeOrder;
  readonly #runtime: Runtime;
  readonly #coordination: Coordination;
  #supervisor: Pid | undefined;
  #driver: Driver | undefined;
  readonly #firstDriver: Promise<void>;
  #onDriver: () => void = () => undefined;
  readonly #stops: (() => void)[] = [];
  #closing: Promise<void> | undefined;

  /** Throws `bad_option`, `bad_name`. */
  constructor(node: RegistryNode, order: TreeOrder) {
    const { link: _link, ...options } = order.options;
    const text = textOf(order.name);
    this.#node = node;
    this.#order = order;
    this.#runtime = node.runtime;
    this.options = checkOptions(options);
    this.#firstDriver = new Promise((resolve) => {
      this.#onDriver = resolve;
    });
    this.electorName = atom(`dgen.elector.${text}`);
    this.memberName = atom(`dgen.member.${text}`);
    this.#coordination = new Coordination(order.tenant, text);
  }

  get supervisor(): Pid {
    if (this.#supervisor === undefined) throw new DGenError('closed', 'registry');
    return this.#supervisor;
  }

  connect(node: string): Promise<boolean> {
    return this.#node.connect(node);
  }

  driver(): Driver {
    if (this.#driver === undefined) throw new DGenError('closed', `registry ${inspect(this.#order.name)}`);
    return this.#driver;
  }

  async start(): Promise<void> {
    const { supName } = this.#order;
    const { link } = this.#order.options;
    const local = supName instanceof Atom ? supName : atom(textOf(supName));
    const children: ChildSpec[] = [
      { id: 'elector', start: (_runtime, parent) => this.#startElector(parent), shutdownMs: 100 },
      { id: 'member', start: (_runtime, parent) => this.#startMember(parent), shutdownMs: 100 },
    ];
    const argument = { strategy: 'one_for_all' as const, children };
    const options = {
      name: local,
      label: `registry ${textOf(this.#order.name)}`,
      ...(link === undefined ? {} : { link }),
    };
    this.#supervisor = await start(this.#runtime, Supervisor, argument, options);
    this.#stops.push(
      this.#node.onLink((peer, up) => this.#driver?.dispatch({ type: 'link', node: peer, up })),
      this.#node.guardInput(() => this.#driver?.guard()),
    );
    if (this.options.readyTimeoutMs > 0) await this.ready({ timeoutMs: this.options.readyTimeoutMs });
  }

  #startElector(parent: Pid): Promise<Pid> {
    const elector = new Elector(this.#node, this.#coordination, () => this.#runtime.whereis(this.memberName));
    return Promise.resolve(
      this.#runtime.spawnBehaviour(elector, {
        link: parent,
        name: this.electorName,
        label: this.electorName.name,
      }),
    );
  }

  #startMember(parent: Pid): Promise<Pid> {
    const elector = this.#runtime.whereis(this.electorName);
    if (elector === undefined) throw new DGenError('noproc', 'elector');
    const member = new Member(
      (self) => ({
        config: this.options.config,
        self,
        elector,
        memberName: this.memberName,
        info: (key) => this.#info(key),
      }),
      (driver) => {
        this.#driver = driver;
        this.#onDriver();
      },
    );
    // A flood from peers must not stop a member: its mailbox is bounded by what the links let through.
    const options = {
      link: parent,
      name: this.memberName,
      label: this.memberName.name,
      mailboxMessagesMax: 10_000_000,
    };
    return Promise.resolve(this.#runtime.spawnBehaviour(member, options));
  }

  #info(member: MemberKey): MemberInfo {
    const { address, machineId, unprovenFormers } = this.#node;
    return {
      member,
      node: nodeOf(member),
      creation: this.#runtime.creation,
      address,
      machineId,
      unprovenFormers,
    };
  }

  async ready(wait: Wait): Promise<void> {
    const done = this.#whenActive();
    const expired = Symbol('expired');
    let cancel: (() => void) | undefined;
    const deadline = new Promise<typeof expired>((resolve) => {
      if (wait.timeoutMs === Infinity) return;
      const timer = this.#runtime.host.timers.after(wait.timeoutMs, () => resolve(expired));
      cancel = () => timer.cancel();
    });
    const aborted = new Promise<typeof expired>((resolve) => {
      wait.signal?.addEventListener('abort', () => resolve(expired), { once: true });
    });
    const outcome = await Promise.race([done, deadline, aborted]);
    cancel?.();
    if (outcome !== expired) return;
    throw new DGenError('unavailable', `registry ${inspect(this.#order.name)} is not ready`, {
      expected: `a leader and a session within ${wait.timeoutMs} ms`,
      got:
        this.#driver === undefined
          ? 'no member'
          : `phase ${this.#driver.state.phase}, leader ${this.#driver.state.follow.leader ?? 'none'}`,
    });
  }

  async #whenActive(): Promise<void> {
    await this.#firstDriver;
    while (this.#closing === undefined) {
      const driver = this.driver();
      await driver.reached('active', 'draining', 'left');
      if (driver.state.phase === 'active') return;
      // A member that failed is followed by another one.
      if (driver === this.#driver) break;
    }
    throw new DGenError('closed', `registry ${inspect(this.#order.name)}`);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const driver = this.#driver;
    if (driver !== undefined && this.options.drainTimeoutMs > 0) {
      driver.releaseAll();
      driver.dispatch({ type: 'drain' });
      await this.#leftOrLate(driver);
    }
    driver?.close();
    for (const stopIt of this.#stops.splice(0)) stopIt();
    if (this.#supervisor !== undefined)
      await stop(this.#runtime, this.#supervisor, { reason: 'shutdown' }).catch(() => undefined);
  }

  #leftOrLate(driver: Driver): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#runtime.host.timers.after(this.options.drainTimeoutMs, resolve);
      void driver.reached('left').then(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}
