// Messages of the protocol as terms, and back. What comes often (streams, requests, transfers) travels as lists with the
// hosts named once; the rest as it is. Everything that arrives is checked here, once, and trusted behind.
import { codes } from '../errors/codes.ts';
import { DGenError } from '../errors/error.ts';
import { inspect, Pid, termKey } from '../term/index.ts';
import type { Entry, Message, Op, RemoveItem, Request } from './protocol/messages.ts';
import type { MemberKey, NameKey } from './protocol/types.ts';
import type { Version } from './protocol/version.ts';

/** The term of a message. The receiver reads it with `decodeMessage`. */
export function encodeMessage(message: Message): unknown {
  switch (message.type) {
    case 'stream': {
      const hosts = new HostTable();
      const ops = message.ops.map((op) => encodeOp(op, hosts));
      return ['stream', message.epoch, message.previous.n, message.version.n, hosts.list, ops];
    }
    case 'requests':
      return [
        'requests',
        message.epoch,
        message.first,
        message.answered,
        message.requests.map(encodeRequest),
      ];
    case 'pulled': {
      const hosts = new HostTable();
      const entries = message.entries.map((entry) => encodeEntry(entry, hosts));
      const { epoch, id, part, last, version, differing } = message;
      return ['pulled', { epoch, id, part, last, version, differing }, hosts.list, entries];
    }
    default:
      return message;
  }
}

/** Throws `badarg` for anything that is not a message. */
export function decodeMessage(term: unknown): Message {
  if (Array.isArray(term)) return decodeList(term);
  const message = term as Message;
  const isKnown = typeof message === 'object' && message !== null && Object.hasOwn(shapes, message.type);
  const shape = isKnown ? shapes[message.type] : undefined;
  if (shape === undefined) throw bad(term);
  for (const [field, check] of Object.entries(shape)) {
    if (!check((message as unknown as Record<string, unknown>)[field])) throw bad(term);
  }
  return message;
}

function bad(term: unknown): DGenError {
  return new DGenError('badarg', 'registry message', { expected: 'one of the protocol', got: inspect(term) });
}

class HostTable {
  readonly list: MemberKey[] = [];
  readonly #indexOf: Map<MemberKey, number> = new Map();

  index(host: MemberKey): number {
    const known = this.#indexOf.get(host);
    if (known !== undefined) return known;
    this.#indexOf.set(host, this.list.length);
    return this.list.push(host) - 1;
  }
}

function encodeEntry(entry: Entry, hosts: HostTable): unknown[] {
  const { name, pid, host, token, metadata } = entry;
  const list: unknown[] = [name, pid, hosts.index(host), token.epoch, token.n];
  if (metadata !== undefined) list.push(metadata);
  return list;
}

function encodeOp(op: Op, hosts: HostTable): unknown[] {
  switch (op.type) {
    case 'put':
      return [op.seq, encodeEntry(op.entry, hosts)];
    case 'remove':
      return [-1, op.key, op.token.epoch, op.token.n];
    case 'dropHost':
      return [-2, op.host];
    default:
      return op satisfies never;
  }
}

function encodeRequest(request: Request): unknown {
  switch (request.type) {
    case 'register':
      return request.metadata === undefined
        ? [request.name, request.pid]
        : [request.name, request.pid, request.metadata];
    case 'remove':
      return [request.items.map(({ key, token }) => [key, token.epoch, token.n])];
    case 'unregister':
      return request.upTo === null ? [0, request.key] : [0, request.key, request.upTo.epoch, request.upTo.n];
    case 'nothing':
      return [];
    default:
      return request satisfies never;
  }
}

function decodeList(term: readonly unknown[]): Message {
  const [type, ...rest] = term;
  if (type === 'stream') return decodeStream(rest, term);
  if (type === 'requests') return decodeRequests(rest, term);
  if (type === 'pulled') return decodePulled(rest, term);
  throw bad(term);
}

function decodeStream(rest: readonly unknown[], term: unknown): Message {
  const [epoch, previous, version, hosts, ops] = rest;
  if (!isCount(epoch) || !isCount(previous) || !isCount(version) || !isHosts(hosts) || !isList(ops))
    throw bad(term);
  return {
    type: 'stream',
    epoch,
    previous: { epoch, n: previous },
    version: { epoch, n: version },
    ops: ops.map((op) => decodeOp(op, hosts)),
  };
}

function decodeOp(op: unknown, hosts: readonly MemberKey[]): Op {
  if (!isList(op)) throw bad(op);
  const [kind] = op;
  if (kind === -1) return { type: 'remove', ...decodeItem(op.slice(1)) };
  if (kind === -2 && typeof op[1] === 'string') return { type: 'dropHost', host: op[1] };
  if (!isCount(kind)) throw bad(op);
  return { type: 'put', seq: kind, entry: decodeEntry(op[1], hosts) };
}

function decodeEntry(term: unknown, hosts: readonly MemberKey[]): Entry {
  if (!isList(term)) throw bad(term);
  const [name, pid, index, epoch, n, metadata] = term;
  const host = isCount(index) ? hosts[index] : undefined;
  if (!(pid instanceof Pid) || host === undefined || !isCount(epoch) || !isCount(n)) throw bad(term);
  return { key: termKey(name), name, pid, host, token: { epoch, n }, metadata };
}

function decodeItem(term: unknown): RemoveItem {
  if (!isList(term)) throw bad(term);
  const [key, epoch, n] = term;
  if (!isKey(key) || !isCount(epoch) || !isCount(n)) throw bad(term);
  return { key, token: { epoch, n } };
}

function decodeRequests(rest: readonly unknown[], term: unknown): Message {
  const [epoch, first, answered, requests] = rest;
  if (!isCount(epoch) || !isCount(first) || !isCount(answered) || !isList(requests)) throw bad(term);
  return { type: 'requests', epoch, first, answered, requests: requests.map(decodeRequest) };
}

function decodeRequest(term: unknown): Request {
  if (!isList(term)) throw bad(term);
  if (term.length === 0) return { type: 'nothing' };
  if (term.length === 1 && isList(term[0])) return { type: 'remove', items: term[0].map(decodeItem) };
  const [name, pid, metadata, n] = term;
  if (name === 0 && isKey(pid)) {
    if (term.length === 2) return { type: 'unregister', key: pid, upTo: null };
    if (term.length !== 4 || !isCount(metadata) || !isCount(n)) throw bad(term);
    return { type: 'unregister', key: pid, upTo: { epoch: metadata, n } };
  }
  if (!(pid instanceof Pid)) throw bad(term);
  return { type: 'register', key: termKey(name), name, pid, metadata };
}

function decodePulled(rest: readonly unknown[], term: unknown): Message {
  const [head, hosts, entries] = rest;
  if (!isRecord(head) || !isHosts(hosts) || !isList(entries)) throw bad(term);
  const { epoch, id, part, last, version, differing } = head;
  if (
    !isCount(epoch) ||
    !isCount(id) ||
    !isCount(part) ||
    typeof last !== 'boolean' ||
    !isVersion(version) ||
    !isDigests(differing)
  )
    throw bad(term);
  return {
    type: 'pulled',
    epoch,
    id,
    part,
    last,
    version,
    differing: differing as readonly (readonly [MemberKey, readonly number[]])[],
    entries: entries.map((entry) => decodeEntry(entry, hosts)),
  };
}

type Check = (value: unknown) => boolean;

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

function isHosts(value: unknown): value is readonly MemberKey[] {
  return Array.isArray(value) && value.every((host) => typeof host === 'string');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isKey(value: unknown): value is NameKey {
  return typeof value === 'string' || typeof value === 'number';
}

function isVersion(value: unknown): value is Version {
  return isRecord(value) && isCount(value.epoch) && isCount(value.n);
}

function isResult(value: unknown): boolean {
  if (!isRecord(value)) return false;
  switch (value.type) {
    case 'registered':
      return isVersion(value.token);
    case 'taken':
    case 'found':
      return value.pid instanceof Pid && isVersion(value.token);
    case 'done':
    case 'absent':
      return true;
    case 'error':
      return (
        typeof value.code === 'string' &&
        Object.hasOwn(codes, value.code) &&
        typeof value.why === 'string' &&
        typeof value.maybeExecuted === 'boolean'
      );
    default:
      return false;
  }
}

const isFlag: Check = (value) => typeof value === 'boolean';
const isNumber: Check = (value) => typeof value === 'number';
const isMemberOrNull: Check = (value) => value === null || typeof value === 'string';
const isAnswers: Check = (value) =>
  isList(value) && value.every((one) => isRecord(one) && isCount(one.seq) && isResult(one.result));
/** `[member, number, number ...]`, each. */
const isTotals: Check = (value) =>
  isList(value) &&
  value.every((one) => isList(one) && typeof one[0] === 'string' && one.slice(1).every(isNumber));
/** `[member, numbers]`, each. */
const isDigests: Check = (value) =>
  isList(value) &&
  value.every((one) => isList(one) && typeof one[0] === 'string' && isList(one[1]) && one[1].every(isNumber));
const isDurations: Check = (value) =>
  isRecord(value) &&
  [value.leaseMs, value.sessionMs, value.toleranceMs, value.holdMs, value.clockRateBound].every(isNumber);

const isLeaderRecord: Check = (value) =>
  isRecord(value) &&
  isCount(value.epoch) &&
  isCount(value.renewals) &&
  isMemberOrNull(value.leader) &&
  isDurations(value.durations) &&
  isFlag(value.contested) &&
  isHosts(value.established);

/** Fields of the messages that travel as they are. */
const shapes: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  follow: { epoch: isCount, durations: isDurations },
  ping: {
    epoch: isCount,
    ping: isCount,
    serving: isFlag,
    head: isVersion,
    expect: isCount,
    record: isLeaderRecord,
    storeless: isFlag,
    decidesMsLeft: isNumber,
  },
  grant: { epoch: isCount, nonce: isCount },
  adopt: { epoch: isCount, version: isVersion, totals: isTotals },
  answers: { epoch: isCount, answers: isAnswers },
  expect: { epoch: isCount, seq: isCount },
  drop: { epoch: isCount, key: isKey, token: isVersion },
  lost: { epoch: isCount, key: isKey, token: isVersion },
  result: { epoch: isCount, id: isCount, result: isResult },
  resigned: { epoch: isCount },
  farewell: { epoch: isCount },
  hello: { former: isMemberOrNull },
  promise: {
    epoch: isCount,
    free: isFlag,
    version: isVersion,
    count: isCount,
    low: isNumber,
    high: isNumber,
  },
  pong: { epoch: isCount, ping: isCount, nonce: isCount, answered: isCount, reachesStore: isFlag },
  ack: { epoch: isCount, version: isVersion },
  resend: { epoch: isCount, after: isVersion },
  read: { epoch: isCount, id: isCount, key: isKey },
  goodbye: { epoch: isCount },
  stale: { epoch: isCount },
  pull: { epoch: isCount, id: isCount, part: isCount, scope: isMemberOrNull, digests: isDigests },
};
