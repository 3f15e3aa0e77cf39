// The application that runs on the simulated nodes: counters under a dynamic supervisor, each registered by a via name, that
// write to a witness outside with their tokens; and a sink for messages from other nodes.
import { DGenError } from '../../errors/error.ts';
import type { Node } from '../../node/node.ts';
import {
  type ChildSpec,
  child,
  DynamicSupervisor,
  GenServer,
  type Refusal,
  refuse,
  Supervisor,
} from '../../otp/index.ts';
import type { ViaName } from '../../process/index.ts';
import { type FencingToken, Registry } from '../../registry/index.ts';
import { inspect, type Pid, Tuple } from '../../term/index.ts';
import type { Ledger, Party } from './ledger.ts';
import type { Watch } from './watch.ts';
import type { Witness } from './witness.ts';

export const countersName = 'counters';
export const sinkName = 'sink';
/** What an application keeps running on a node: its supervisor, that of the counters, and the sink. */
export const appProcesses = 3;

/** What the application has on one node. */
export interface Desk extends Party {
  readonly node: Node;
  readonly registry: Registry;
  readonly witness: Witness;
  readonly ledger: Ledger;
  readonly watch: Watch;
  readonly restart: 'temporary' | 'transient';
  /** The node is being closed: no new work. */
  closing: boolean;
}

interface CounterArgument {
  readonly desk: Desk;
  readonly name: string;
}

export class Counter extends GenServer {
  static readonly type = 'counter';
  #desk!: Desk;
  #name = '';
  #token!: FencingToken;
  #value = 0;

  async init({ desk, name }: CounterArgument): Promise<void> {
    const entry = desk.registry.lookup(name);
    // Unregistered since, or ended with the session.
    if (entry === undefined || !entry.pid.equals(this.self)) return this.stop('shutdown');
    [this.#desk, this.#name, this.#token] = [desk, name, entry.token];
    const value = await desk.witness.open(desk.life, this.#writer());
    if (value === undefined) return this.stop('shutdown');
    this.#value = value;
    this.sendAfter(700, 'touch');
  }

  readonly handleCall = {
    /** Adds, and gives back the sum and whatever came along. */
    add: async (id: string, by: number, payload: unknown): Promise<unknown[] | Refusal> => {
      this.#desk.ledger.executed(id);
      if (!(await this.#write(this.#value + by)))
        return refuse(new DGenError('fenced', `${this.#name} has a later owner`));
      return [this.#value, payload];
    },
    value: (): number => this.#value,
    /** Answers after some milliseconds. */
    later: (ms: number): unknown => {
      const owed = this.replyLater<number>();
      this.node.host.timers.after(ms, () => owed.reply(ms));
      return owed;
    },
    crash: (): never => {
      throw new Error(onPurpose);
    },
  };

  readonly handleCast = {
    bump: async (): Promise<void> => {
      await this.#write(this.#value + 1);
    },
  };

  async handleInfo(message: unknown): Promise<void> {
    if (message !== 'touch') return;
    await this.#write(this.#value);
    this.sendAfter(700, 'touch');
  }

  /** False, and the end, when a later owner was there. */
  async #write(value: number): Promise<boolean> {
    const written = await this.#desk.witness.write(this.#desk.life, { ...this.#writer(), value });
    if (written) this.#value = value;
    else this.stop('shutdown');
    return written;
  }

  #writer(): { name: string; token: FencingToken; writer: string } {
    return { name: this.#name, token: this.#token, writer: this.self.key };
  }
}

const onPurpose = 'crashed on purpose';
/** What the application brings about, as the log tells it. */
export const expectedErrors: readonly string[] = [
  onPurpose,
  'too many restarts',
  'the store has been away for longer than the tolerance',
];

/** Checks what other nodes send: in order, each once, as it was. */
class Sink extends GenServer {
  static readonly type = 'sink';
  #watch!: Watch;
  readonly #last: Map<string, number> = new Map();

  init({ watch }: Desk): void {
    this.#watch = watch;
  }

  handleInfo(message: unknown): void {
    if (!(message instanceof Tuple)) {
      this.#watch.broken('terms', `a sink got ${inspect(message)}`);
      return;
    }
    const [from, number, payload, text] = message.elements as [Pid, number, unknown, string];
    const last = this.#last.get(from.key) ?? 0;
    if (number <= last) this.#watch.broken('terms', `${from.key} sent ${number}, which came after ${last}`);
    if (inspect(payload) !== text) this.#watch.broken('terms', `${text} came as ${inspect(payload)}`);
    this.#last.set(from.key, number);
  }
}

/** The via name of a registry, with every registration on record. */
function recordedVia(desk: Desk, name: string): ViaName {
  const { ledger, registry, runtime, life } = desk;
  return {
    via: {
      whereisName: (node, full) => Registry.whereisName(node, full as [unknown, unknown]),
      send: (node, full, message) => Registry.send(node, full as [unknown, unknown], message),
      registerName: async (node, full, pid) => {
        ledger.candidate(desk, name, pid);
        let said: 'yes' | 'no' = 'no';
        let failure: { error: unknown } | undefined;
        const what = { name, type: 'register', process: pid.key, timeoutMs: registryTimeoutMs } as const;
        await ledger.operate(life, what, async () => {
          try {
            said = await Registry.registerName(node, full as [unknown, unknown], pid);
          } catch (error) {
            failure = { error };
            throw error;
          }
          if (said === 'no') return { result: 'failed' };
          ledger.owns(desk, name, pid);
          const entry = registry.lookup(name);
          return entry?.pid.equals(pid)
            ? { result: 'registered', token: entry.token }
            : { result: 'registered' };
        });
        if (failure !== undefined) throw (failure as { error: unknown }).error;
        return said;
      },
      unregisterName: async (_node, full) => {
        const what = { name, type: 'unregister', timeoutMs: registryTimeoutMs } as const;
        await ledger.operate(life, what, async () => {
          await Registry.unregisterName(runtime, full as [unknown, unknown]);
          return { result: 'done' };
        });
      },
    },
    name: [registry.name, name],
  };
}

/** Of the registry's options, for requests that say nothing else. */
export const registryTimeoutMs = 2_000;

export function counterSpec(desk: Desk, name: string): ChildSpec {
  const options = { name: recordedVia(desk, name), restart: desk.restart, shutdownMs: 500 };
  return child(`counter ${name}`, Counter, { desk, name }, options);
}

/** Starts what every node runs. */
export async function startApp(desk: Desk): Promise<void> {
  // A counter that is restarted while another node has its name fails at once, time and again: then all of them begin anew.
  const patience = { maxRestarts: 5, maxSeconds: 1 };
  await desk.node.start(Supervisor, {
    strategy: 'one_for_one',
    maxRestarts: 1_000,
    maxSeconds: 1,
    children: [
      child('counters', DynamicSupervisor, patience, { name: countersName, type: 'supervisor' }),
      child('sink', Sink, desk, { name: sinkName }),
    ],
  });
}
