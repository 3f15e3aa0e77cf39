// Nodes on loopback for tests with real sockets: everything that is opened is closed by `close`, also after a failure,
// and every wait has a deadline.
import assert from 'node:assert/strict';
import { connect as connectSocket, type Socket } from 'node:net';
import {
  type Address,
  createDistribution,
  type Distribution,
  type DistributionLimits,
} from '../../../src/distribution/index.ts';
import { type Log, nodeHost } from '../../../src/host/index.ts';
import { createRuntime, type Inbound, type LocalRuntime } from '../../../src/process/index.ts';
import { type Atom, atom, Pid, Ref } from '../../../src/term/index.ts';

export interface LogEntry {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

export interface StartOptions {
  readonly cookie?: string;
  readonly creation?: number;
  readonly limits?: Partial<DistributionLimits>;
  /** Default true. */
  readonly listen?: boolean;
  /** Whether a node with processes takes calls in the private form, as all but old ones do; default true. */
  readonly channels?: boolean;
}

export interface TestNode {
  readonly name: Atom;
  readonly distribution: Distribution;
  readonly address: Address;
  /** What the distribution told the runtime, as short texts. */
  readonly events: string[];
  readonly messages: unknown[];
  readonly log: LogEntry[];
  pid(id?: number): Pid;
  ref(word?: number): Ref;
}

export interface RuntimeNode {
  readonly name: Atom;
  readonly distribution: Distribution;
  readonly runtime: LocalRuntime;
  readonly address: Address;
}

export class Cluster {
  readonly addresses: Map<Atom, readonly Address[]> = new Map();
  readonly #closers: (() => Promise<void> | void)[] = [];

  /** A distribution whose runtime only takes notes. */
  async start(name: string, options: StartOptions = {}): Promise<TestNode> {
    const events: string[] = [];
    const messages: unknown[] = [];
    const log: LogEntry[] = [];
    const inbound = notingInbound(events, messages);
    const { distribution, address } = await this.#open(name, options, { inbound, log });
    const creation = options.creation ?? 1;
    const node = atom(name);
    return {
      name: node,
      distribution,
      address,
      events,
      messages,
      log,
      pid: (id = 1) => new Pid(node, id, 0, creation),
      ref: (word = 1) => new Ref(node, creation, [word, 0, 0]),
    };
  }

  /** A node with processes. */
  async startRuntime(name: string, options: StartOptions = {}): Promise<RuntimeNode> {
    const runtime = createRuntime({ name: atom(name), creation: options.creation ?? 1, host: nodeHost() });
    this.defer(() => runtime.close());
    const inbound = options.channels === false ? withoutChannels(runtime.inbound) : runtime.inbound;
    const { distribution, address } = await this.#open(name, options, { inbound, log: [] });
    runtime.attach(distribution);
    return { name: atom(name), distribution, runtime, address };
  }

  /** A bare connection to a node. */
  async socket(node: { readonly address: Address }): Promise<Socket> {
    const socket = connectSocket(node.address.port, node.address.host);
    socket.on('error', () => {});
    this.defer(() => void socket.destroy());
    await new Promise((resolve) => socket.once('connect', resolve));
    return socket;
  }

  defer(closer: () => Promise<void> | void): void {
    this.#closers.push(closer);
  }

  async close(): Promise<void> {
    for (const closer of this.#closers.reverse()) await closer();
  }

  async #open(
    name: string,
    options: StartOptions,
    { inbound, log }: { inbound: Inbound; log: LogEntry[] },
  ): Promise<{ distribution: Distribution; address: Address }> {
    const node = atom(name);
    const distribution = createDistribution({
      name: node,
      creation: options.creation ?? 1,
      cookie: options.cookie ?? 'test cookie',
      host: nodeHost({ log: notingLog(log) }),
      inbound,
      resolve: async (wanted) => this.addresses.get(wanted) ?? [],
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    this.defer(() => distribution.close());
    if (options.listen === false) return { distribution, address: { host: '127.0.0.1', port: 1 } };
    const address = await distribution.listen();
    this.addresses.set(node, [address]);
    return { distribution, address };
  }
}

/** Waits until the condition holds; fails with what `what` says after the deadline. */
export async function until(condition: () => boolean, what: string, timeoutMs = 5_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) assert.fail(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Resolves when the other side has closed the socket. */
export function closed(socket: Socket): Promise<void> {
  socket.resume();
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

function withoutChannels(inbound: Inbound): Inbound {
  return new Proxy(inbound, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (key === 'calls') return undefined;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function notingInbound(events: string[], messages: unknown[]): Inbound {
  const note = (text: string): void => void events.push(text);
  return {
    onSend: (from, to, message) => {
      note(`send ${from ?? '?'} ${to}`);
      messages.push(message);
    },
    onSendNamed: (from, name, message) => {
      note(`named ${from} ${name.name}`);
      messages.push(message);
    },
    onSendAlias: (alias, message) => {
      note(`alias ${alias}`);
      messages.push(message);
    },
    onLink: (from, to) => note(`link ${from} ${to}`),
    onUnlink: (from, to, id) => note(`unlink ${from} ${to} ${id}`),
    onUnlinkAck: (from, to, id) => note(`ack ${from} ${to} ${id}`),
    onExit: (from, to, reason) => note(`exit ${from} ${to} ${reason}`),
    onExit2: (from, to, reason) => note(`exit2 ${from} ${to} ${reason}`),
    onMonitor: (from, to, ref) => note(`monitor ${from} ${to} ${ref}`),
    onDemonitor: (from, to, ref) => note(`demonitor ${from} ${to} ${ref}`),
    // biome-ignore lint/complexity/useMaxParams: the port gives the signature
    onDown: (from, to, ref, reason) => note(`down ${from} ${to} ${ref} ${reason}`),
    nodeUp: (node, peer) => note(`up ${node.name} ${peer.kind} ${peer.creation}`),
    nodeDown: (node, reason) => note(`nodedown ${node.name} ${reason}`),
  };
}

function notingLog(entries: LogEntry[]): Log {
  const at =
    (level: string) =>
    (fields: object, message: string): void =>
      void entries.push({ level, message, fields: fields as Record<string, unknown> });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
