// What the distribution can be told, with its defaults and the checks that run once.
import { DGenError } from '../errors/error.ts';
import type { Host } from '../host/ports.ts';
import type { Inbound } from '../process/distribution-port.ts';
import type { Atom } from '../term/atom.ts';
import type { TermCodecs } from '../term/codecs.ts';
import { isNodeName } from './protocol/handshake-messages.ts';
import type { Transport } from './transport.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface DistributionLimits {
  /** Bytes of one frame, in both directions; default 128 MiB. A larger message throws `term_too_large` at its sender; a peer that sends one is cut off. */
  readonly frameBytesMax: number;
  /** Bytes that wait for one peer; default 64 MiB. At it the sends throw `send_buffer_full`; at twice it the connection is cut. */
  readonly sendBufferBytesMax: number;
  /** Milliseconds of silence after which a peer counts as dead; default 60,000. Something is written every quarter of it. All nodes need the same value. */
  readonly netTickMs: number;
  /** Milliseconds from an open socket to the end of the handshake; default 7,000. */
  readonly handshakeTimeoutMs: number;
  /** Milliseconds for one attempt to reach a node, over all its addresses; default 7,000. */
  readonly connectTimeoutMs: number;
  /** Longest pause after failed attempts, in milliseconds; default 1,000; 0 for none. Within it signals fail at once. */
  readonly backoffMaxMs: number;
  /** Connected nodes; default 1,024. Further callers are refused; own attempts fail with `system_limit`. */
  readonly connectionsMax: number;
  /** Accepted sockets whose handshake is under way; default 128. Further ones are closed at once. */
  readonly handshakesMax: number;
}

export interface DistributionOptions {
  /** `name@host`, as peers will see it. */
  readonly name: Atom;
  /** Which start of this node: 32 bits, not 0, different from that of any former start that peers may remember. */
  readonly creation: number;
  /** Shared by all nodes of the cluster. Whoever knows it can do anything. Empty only on loopback. */
  readonly cookie: string;
  readonly host: Host;
  /** Where signals from peers go. */
  readonly inbound: Inbound;
  /** Where a node may listen, best address first; empty when nobody knows. A rejection counts as empty. */
  readonly resolve: (node: Atom) => Promise<readonly Address[]>;
  /**
   * Called before what one read of a socket brought is delivered: whoever lost a right while the operating-system process
   * stood still learns it before anybody acts on old messages. Must be cheap and must not throw.
   */
  readonly beforeInput?: () => void;
  /**
   * Milliseconds for which a node of this library may give no sign of life although it was asked for one; then its link is ended, and
   * may be dialled again. Asked often, so it must be cheap. A link keeps the last limit when it is `Infinity` later. Default: `Infinity`,
   * so that only `netTickMs` counts.
   */
  readonly silenceMs?: (node: Atom) => number;
  readonly limits?: Partial<DistributionLimits>;
  /** Default: TCP. */
  readonly transport?: Transport;
  /** The classes whose instances may travel; default none. */
  readonly codecs?: TermCodecs;
  /** Shows up in `nodes()` of Erlang peers, whose `global` then waits for answers that this library does not give. Default false. */
  readonly visible?: boolean;
}

export interface ListenOptions {
  /** Default '127.0.0.1'. Anything that is not loopback needs a cookie. */
  readonly host?: string;
  /** Default 0: the system chooses. */
  readonly port?: number;
}

const mebibyte = 1024 * 1024;

const defaultLimits: DistributionLimits = {
  frameBytesMax: 128 * mebibyte,
  sendBufferBytesMax: 64 * mebibyte,
  netTickMs: 60_000,
  handshakeTimeoutMs: 7_000,
  connectTimeoutMs: 7_000,
  backoffMaxMs: 1_000,
  connectionsMax: 1_024,
  handshakesMax: 128,
};

/** Throws `bad_option`. */
export function checkOptions(options: DistributionOptions): DistributionLimits {
  const { name, creation } = options;
  if (!isNodeName(name.name)) throw bad('name', 'name@host', name.name);
  if (!Number.isInteger(creation) || creation < 1 || creation > 0xffffffff) {
    throw bad('creation', 'an integer from 1 to 2^32-1', String(creation));
  }
  const limits = { ...defaultLimits, ...withoutUndefined(options.limits ?? {}) };
  for (const [key, value] of Object.entries(limits)) {
    const least = key === 'backoffMaxMs' ? 0 : 1;
    if (!(key in defaultLimits)) throw bad(`limits.${key}`, 'a known limit', String(value));
    if (typeof value !== 'number' || !(value >= least)) {
      throw bad(`limits.${key}`, `a number from ${least}`, String(value));
    }
  }
  if (limits.frameBytesMax >= 2 ** 31) throw bad('limits.frameBytesMax', 'less than 2 GiB', 'more');
  return limits;
}

/** Throws `insecure_listen` when the address could be reached from other machines and no cookie protects it. */
export function checkListen(host: string, cookie: string): void {
  if (cookie !== '' || isLoopback(host)) return;
  throw new DGenError('insecure_listen', 'listening without a cookie', {
    expected: 'a loopback address',
    got: host,
  });
}

function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || host === '::1' || host === '::ffff:127.0.0.1' || /^127(\.\d{1,3}){3}$/.test(host)
  );
}

function withoutUndefined(limits: Partial<DistributionLimits>): Partial<DistributionLimits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}

function bad(option: string, expected: string, got: string): DGenError {
  return new DGenError('bad_option', option, { expected, got });
}
