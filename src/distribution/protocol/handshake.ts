// The handshake as two small state machines, one for the side that dials and one for the side that answers. Bytes in
// whatever portions go in, bytes to send and at last an outcome come out. No socket, no timer, no table of nodes: the
// deadline belongs to the driver, and whether a caller is welcome is asked of it through `decide`.
//
//   dialler                          acceptor
//     name  ------------------------>  decide
//           <------------------------  status, challenge
//     reply (proves the cookie) ---->
//           <------------------------  ack (proves it too); frames may follow in the same packet
import { DGenError } from '../../errors/error.ts';
import { areFlagsSufficient } from './flags.ts';
import {
  type ChallengeMessage,
  decodeAck,
  decodeChallenge,
  decodeName,
  decodeReply,
  decodeStatus,
  digestOf,
  encodeAck,
  encodeChallenge,
  encodeName,
  encodeReply,
  encodeStatus,
  handshakeMessageBytesMax,
  isSameDigest,
  type Md5,
  type NameMessage,
} from './handshake-messages.ts';
import { capabilityCompact, capabilityProbe, type Marker, markerVersion } from './marker.ts';

export interface HandshakeSelf {
  readonly name: string;
  readonly creation: number;
  readonly flags: bigint;
  /** Takes private frames. */
  readonly compact: boolean;
  readonly cookie: string;
  readonly md5: Md5;
  /** Unpredictable, 32 bits, fresh for each handshake: whoever can guess it needs no cookie. */
  readonly challenge: number;
  /**
   * True for a challenge that this node is asking somebody right now. A peer that asks it back wants our answer, to pass it off
   * as its own on the other connection.
   */
  readonly isOwnChallenge?: (challenge: number) => boolean;
}

export interface HandshakePeer {
  readonly name: string;
  readonly creation: number;
  readonly flags: bigint;
  readonly kind: 'typescript' | 'erlang';
  /** Takes private frames. */
  readonly compact: boolean;
}

/**
 * `ok`: welcome. `ok_simultaneous`: welcome, the acceptor's own attempt gives way. `nok`: the acceptor's attempt goes on, this
 * one ends. `alive`: the acceptor has a connection to that name, and asks whether the caller knows better. `not_allowed`: never.
 */
export type HandshakeStatus = 'ok' | 'ok_simultaneous' | 'nok' | 'alive' | 'not_allowed';

export type HandshakeOutcome =
  /** Both sides know the cookie. `rest` are bytes of the connected protocol that came along. */
  | { readonly kind: 'done'; readonly peer: HandshakePeer; readonly rest: Uint8Array }
  /** The dialler was refused, or the acceptor refused, with that status. */
  | { readonly kind: 'refused'; readonly status: string }
  /** A probe learned who listens. Nobody proved anything. */
  | { readonly kind: 'identified'; readonly name: string; readonly creation: number }
  /** The acceptor answered a probe; the connection has no further use. */
  | { readonly kind: 'probed' }
  /** `bad_peer`, `bad_cookie` or `name_clash`. */
  | { readonly kind: 'failed'; readonly error: DGenError };

export interface HandshakeStep {
  /** To be written at once, in this order, also when there is an outcome. */
  readonly send: readonly Uint8Array[];
  /** Present once; after it the machine takes no more bytes. */
  readonly outcome?: HandshakeOutcome;
}

export interface Handshake {
  /** What the side waits for; for logs, and to tell a wrong cookie (a close while waiting for `ack`) from other closes. */
  readonly waitingFor: string;
  receive(chunk: Uint8Array): HandshakeStep;
}

/** What the handler of one message says: bytes to send, and the outcome if this was the last. */
interface Move {
  readonly send?: readonly Uint8Array[];
  readonly outcome?: HandshakeOutcome;
}

const noBytes = new Uint8Array(0);

/** Cuts the input into messages and turns what the handlers throw into outcomes. */
abstract class Machine implements Handshake {
  abstract waitingFor: string;
  #pending: Uint8Array = noBytes;
  #finished = false;

  receive(chunk: Uint8Array): HandshakeStep {
    const send: Uint8Array[] = [];
    if (this.#finished) return { send };
    this.#pending = this.#pending.length === 0 ? chunk : concat(this.#pending, chunk);
    try {
      for (let message = this.#next(); message !== undefined; message = this.#next()) {
        const move = this.handle(message);
        if (move.send !== undefined) send.push(...move.send);
        if (move.outcome !== undefined) return this.#finish(send, move.outcome);
      }
    } catch (error) {
      if (!(error instanceof DGenError)) throw error;
      return this.#finish(send, { kind: 'failed', error });
    }
    return { send };
  }

  protected abstract handle(message: Uint8Array): Move;

  #next(): Uint8Array | undefined {
    const pending = this.#pending;
    if (pending.length < 2) return undefined;
    const length = ((pending[0] ?? 0) << 8) | (pending[1] ?? 0);
    if (length > handshakeMessageBytesMax) {
      throw new DGenError('bad_peer', 'handshake message too long', {
        expected: `at most ${handshakeMessageBytesMax} bytes`,
        got: `${length}`,
      });
    }
    if (pending.length < 2 + length) return undefined;
    this.#pending = pending.subarray(2 + length);
    return pending.subarray(2, 2 + length);
  }

  #finish(send: Uint8Array[], outcome: HandshakeOutcome): HandshakeStep {
    this.#finished = true;
    this.waitingFor = 'nothing';
    const rest = this.#pending;
    this.#pending = noBytes;
    return { send, outcome: outcome.kind === 'done' ? { ...outcome, rest } : outcome };
  }
}

export interface DialOptions {
  readonly self: HandshakeSelf;
  /** Full name of the node that must answer; another one is `name_clash`. */
  readonly expected: string;
  /** Ask a node of this library who it is, and go no further. */
  readonly probe?: boolean;
}

/** The side that dials. Send `hello` first. */
export class Dialler extends Machine {
  waitingFor: 'status' | 'challenge' | 'ack' | 'nothing' = 'status';
  readonly hello: Uint8Array;
  readonly #options: DialOptions;
  #peer: HandshakePeer | undefined;

  constructor(options: DialOptions) {
    super();
    this.#options = options;
    const { name, creation, flags } = options.self;
    this.hello = encodeName({
      name,
      creation,
      flags,
      marker: ownMarker(options.self, options.probe === true),
    });
  }

  protected handle(message: Uint8Array): Move {
    switch (this.waitingFor) {
      case 'status':
        return this.#onStatus(decodeStatus(message));
      case 'challenge':
        return this.#onChallenge(decodeChallenge(message));
      case 'ack':
        return this.#onAck(decodeAck(message));
      case 'nothing':
        return {};
    }
  }

  #onStatus(status: string): Move {
    if (status === 'alive') {
      // A probe does not claim to be anybody, so it must not push a connection aside.
      if (this.#options.probe === true) return { outcome: { kind: 'refused', status } };
      this.waitingFor = 'challenge';
      return { send: [encodeStatus('true')] };
    }
    if (status === 'ok' || status === 'ok_simultaneous') {
      this.waitingFor = 'challenge';
      return {};
    }
    if (status === 'nok' || status === 'not_allowed') return { outcome: { kind: 'refused', status } };
    throw new DGenError('bad_peer', 'unknown handshake status', { got: status.slice(0, 40) });
  }

  #onChallenge(challenge: ChallengeMessage): Move {
    const { self, expected, probe } = this.#options;
    const { name, creation } = challenge;
    if (probe === true) return { outcome: { kind: 'identified', name, creation } };
    if (name !== expected) {
      const error = new DGenError('name_clash', 'another node answers', {
        expected,
        got: name,
        details: { name, creation },
      });
      return { outcome: { kind: 'failed', error } };
    }
    if (self.isOwnChallenge?.(challenge.challenge) === true) {
      throw new DGenError('bad_peer', 'the peer returns a challenge of this node');
    }
    this.#peer = peerOf(challenge);
    this.waitingFor = 'ack';
    const digest = digestOf(self.md5, self.cookie, challenge.challenge);
    return { send: [encodeReply({ challenge: self.challenge, digest })] };
  }

  #onAck(digest: Uint8Array): Move {
    const { self } = this.#options;
    if (!isSameDigest(digest, digestOf(self.md5, self.cookie, self.challenge))) throw badCookie();
    if (this.#peer === undefined) throw new Error('acknowledged before the challenge');
    return { outcome: { kind: 'done', peer: this.#peer, rest: noBytes } };
  }
}

export interface AcceptOptions {
  readonly self: HandshakeSelf;
  /** Asked once, when the caller has said its name; nothing is proved yet, so nothing may be given up because of it. */
  readonly decide: (peer: HandshakePeer) => HandshakeStatus;
}

/** The side that answers. */
export class Acceptor extends Machine {
  waitingFor: 'name' | 'alive answer' | 'reply' | 'nothing' = 'name';
  readonly #options: AcceptOptions;
  #peer: HandshakePeer | undefined;

  constructor(options: AcceptOptions) {
    super();
    this.#options = options;
  }

  protected handle(message: Uint8Array): Move {
    switch (this.waitingFor) {
      case 'name':
        return this.#onName(decodeName(message));
      case 'alive answer':
        return this.#onAliveAnswer(decodeStatus(message));
      case 'reply':
        return this.#onReply(message);
      case 'nothing':
        return {};
    }
  }

  #onName(message: NameMessage): Move {
    const probe = ((message.marker?.capabilities ?? 0) & capabilityProbe) !== 0;
    if (probe) return { send: [encodeStatus('ok'), this.#challenge()], outcome: { kind: 'probed' } };
    const peer = peerOf(message);
    this.#peer = peer;
    const status = this.#options.decide(peer);
    const send = [encodeStatus(status)];
    if (status === 'nok' || status === 'not_allowed') return { send, outcome: { kind: 'refused', status } };
    if (status === 'alive') {
      this.waitingFor = 'alive answer';
      return { send };
    }
    this.waitingFor = 'reply';
    return { send: [...send, this.#challenge()] };
  }

  #onAliveAnswer(answer: string): Move {
    if (answer === 'false') return { outcome: { kind: 'refused', status: 'alive' } };
    if (answer !== 'true') {
      throw new DGenError('bad_peer', 'unknown answer to status alive', { got: answer.slice(0, 40) });
    }
    this.waitingFor = 'reply';
    return { send: [this.#challenge()] };
  }

  #onReply(message: Uint8Array): Move {
    const { self } = this.#options;
    const { challenge, digest } = decodeReply(message);
    if (!isSameDigest(digest, digestOf(self.md5, self.cookie, self.challenge))) throw badCookie();
    if (this.#peer === undefined) throw new Error('replied before the name');
    const send = [encodeAck(digestOf(self.md5, self.cookie, challenge))];
    return { send, outcome: { kind: 'done', peer: this.#peer, rest: noBytes } };
  }

  #challenge(): Uint8Array {
    const { name, creation, flags, challenge } = this.#options.self;
    return encodeChallenge({ name, creation, flags, challenge, marker: ownMarker(this.#options.self) });
  }
}

/**
 * What to answer a caller while an own attempt to reach it is under way. Both sides compare the same two names, so exactly
 * one of the two attempts survives.
 */
export function resolveSimultaneous(own: string, caller: string): 'ok_simultaneous' | 'nok' {
  return compareNames(caller, own) > 0 ? 'ok_simultaneous' : 'nok';
}

/** By code point, as Erlang compares node names; JavaScript's `<` goes by UTF-16 unit. */
function compareNames(left: string, right: string): number {
  const leftPoints = [...left];
  const rightPoints = [...right];
  for (let index = 0; index < Math.min(leftPoints.length, rightPoints.length); index++) {
    const difference = (leftPoints[index]?.codePointAt(0) ?? 0) - (rightPoints[index]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return leftPoints.length - rightPoints.length;
}

function ownMarker({ compact }: HandshakeSelf, probe = false): Marker {
  const capabilities = (probe ? capabilityProbe : 0) | (compact ? capabilityCompact : 0);
  return { version: markerVersion, capabilities };
}

function peerOf(message: NameMessage): HandshakePeer {
  const { name, creation, flags, marker } = message;
  if (!areFlagsSufficient(flags)) {
    throw new DGenError('bad_peer', 'the peer lacks mandatory distribution flags', {
      got: `0x${flags.toString(16)}`,
      details: { name },
    });
  }
  const compact = ((marker?.capabilities ?? 0) & capabilityCompact) !== 0;
  return { name, creation, flags, kind: marker === undefined ? 'erlang' : 'typescript', compact };
}

function badCookie(): DGenError {
  return new DGenError('bad_cookie', 'the peer proved a different cookie');
}

function concat(left: Uint8Array, right: Uint8Array): Uint8Array {
  const joined = new Uint8Array(left.length + right.length);
  joined.set(left);
  joined.set(right, left.length);
  return joined;
}
