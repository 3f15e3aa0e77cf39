// What callers know: every registration that was acknowledged and is not certainly gone, and every call that waits. It
// is part of each state, changes only with what callers see, and is what the answers are judged by. The rules are those
// of the simulator's ledger.
import {
  type Acknowledged,
  type Broken,
  oneOwner,
  tellRegistration,
  tokensRise,
} from '../invariants/state.ts';
import type { MemberKey, Result } from '../registry/protocol/types.ts';
import { sameVersion, type Version } from '../registry/protocol/version.ts';
import { textOf } from './canonical.ts';
import type { Facts, Output, Reply } from './local.ts';
import { Interner } from './tables.ts';

export interface Registration extends Acknowledged {
  readonly key: string;
  /** Its host has it, and its process lives. */
  readonly held: boolean;
  /** An unregistration may have ended it. */
  readonly loose: boolean;
}

export interface Call {
  readonly id: number;
  readonly node: number;
  readonly type: 'register' | 'unregister' | 'read';
  readonly key: string;
  /** Key of the pid that registers. */
  readonly pid: string | null;
  /** Registrations that did not certainly end before the call began, as `token pid`. */
  readonly seen: readonly string[];
  /** Those that were acknowledged before it began. */
  readonly before: readonly string[];
}

interface Ghost {
  readonly registrations: readonly Registration[];
  readonly highest: Readonly<Record<string, Version>>;
  readonly calls: readonly Call[];
  /** Names of which an unregistration may take effect though nobody waits for it. */
  readonly loose: readonly string[];
}

export interface GhostStep {
  readonly ghost: number;
  readonly broken: Broken | null;
}

/** `holds`: the session of the member runs at this instant. */
export interface GhostEvent {
  readonly node: number;
  readonly member: MemberKey;
  readonly output: Output;
  readonly after: Facts | null;
  readonly runs: (member: MemberKey) => boolean;
}

const tell = (one: Acknowledged): string => `${one.token.epoch}.${one.token.n} ${one.pid}`;

export class Ghosts {
  readonly #ghosts: Interner<Ghost> = new Interner();
  readonly empty: number = this.#keep({ registrations: [], highest: {}, calls: [], loose: [] });
  /** By ghost: the names that two registrations may hold. */
  readonly #doubles: (readonly (readonly Registration[])[] | undefined)[] = [];

  get(id: number): Ghost {
    return this.#ghosts.get(id);
  }

  invoke(id: number, call: Omit<Call, 'seen' | 'before'>): number {
    const ghost = this.get(id);
    const ofKey = ghost.registrations.filter((one) => one.key === call.key);
    const seen = ofKey.map(tell);
    const registrations =
      call.type === 'unregister'
        ? ghost.registrations.map((one) => (one.key === call.key ? { ...one, loose: true } : one))
        : ghost.registrations;
    return this.#keep({ ...ghost, registrations, calls: [...ghost.calls, { ...call, seen, before: seen }] });
  }

  /** The process ended, whatever its host knows of it. */
  exited(id: number, pid: string): number {
    const ghost = this.get(id);
    return this.#keep({
      ...ghost,
      registrations: ghost.registrations.map((one) => (one.pid === pid ? { ...one, held: false } : one)),
    });
  }

  /** The node is down. */
  stopped(id: number, node: number, member: MemberKey): number {
    const ghost = this.get(id);
    const lost = ghost.calls.filter((call) => call.node === node && call.type === 'unregister');
    return this.#keep({
      ...ghost,
      registrations: letGo(ghost.registrations, member),
      calls: ghost.calls.filter((call) => call.node !== node),
      loose: [...new Set([...ghost.loose, ...lost.map((call) => call.key)])],
    });
  }

  /** Takes in what a step told its callers, and what its host has let go. */
  stepped(id: number, event: GhostEvent): GhostStep {
    let ghost = this.get(id);
    const broken: Broken[] = [];
    for (const reply of event.output.replies) ghost = answered(ghost, reply, { event, broken });
    const hosted = event.after?.hosted;
    const registrations = ghost.registrations.map((one) => {
      if (!one.held || one.member !== event.member || event.output.fenced !== null) return one;
      if (hosted?.has(`${one.key} ${tell(one)}`)) return one;
      if (!one.loose)
        broken.push({ invariant: 'kept', what: `${tellRegistration(one)} vanished, nobody unregistered it` });
      return { ...one, held: false };
    });
    ghost = { ...ghost, registrations };
    if (event.output.fenced !== null)
      ghost = { ...ghost, registrations: letGo(ghost.registrations, event.member) };
    return { ghost: this.#keep(ghost), broken: broken[0] ?? null };
  }

  /** I1 of the whole state. */
  check(id: number, runs: (member: MemberKey) => boolean): Broken | null {
    let doubles = this.#doubles[id];
    if (doubles === undefined) {
      doubles = doublesOf(this.get(id));
      this.#doubles[id] = doubles;
    }
    for (const holders of doubles) {
      const broken = oneOwner(holders, (one) => runs(one.member));
      if (broken !== null) return broken;
    }
    return null;
  }

  #keep(ghost: Ghost): number {
    return this.#ghosts.intern(textOf(ghost), () => ghost);
  }
}

function letGo(registrations: readonly Registration[], member: MemberKey): readonly Registration[] {
  return registrations.map((one) => (one.member === member ? { ...one, held: false } : one));
}

function doublesOf(ghost: Ghost): Registration[][] {
  const byName = new Map<string, Registration[]>();
  for (const one of ghost.registrations) {
    if (!one.held) continue;
    const others = byName.get(one.key);
    if (others === undefined) byName.set(one.key, [one]);
    else others.push(one);
  }
  return [...byName.values()].filter((holders) => holders.length > 1);
}

interface Judging {
  readonly event: GhostEvent;
  readonly broken: Broken[];
}

function answered(ghost: Ghost, reply: Reply, by: Judging): Ghost {
  const call = ghost.calls.find((one) => one.id === reply.id && one.node === by.event.node);
  if (call === undefined) {
    by.broken.push({ invariant: 'answers', what: `call ${reply.id} is answered, but nobody waits for it` });
    return ghost;
  }
  const rest = { ...ghost, calls: ghost.calls.filter((one) => one !== call) };
  const { result } = reply;
  switch (result.type) {
    case 'registered':
      return acknowledged(rest, { call, token: result.token }, by);
    case 'taken':
    case 'found':
      judgeNamed(call, result, by);
      return rest;
    case 'absent':
      return goneNow(rest, call, by);
    case 'done':
      return call.type === 'unregister' ? goneNow(rest, call, by) : rest;
    case 'error':
      if (call.type !== 'unregister' || !result.maybeExecuted) return rest;
      return { ...rest, loose: [...new Set([...rest.loose, call.key])] };
    default:
      return result satisfies never;
  }
}

function acknowledged(ghost: Ghost, what: { call: Call; token: Version }, by: Judging): Ghost {
  const { call, token } = what;
  const text = `${token.epoch}.${token.n} ${call.pid}`;
  const again = ghost.registrations.some((one) => one.key === call.key && one.held && tell(one) === text);
  if (again && sameVersion(token, ghost.highest[call.key] ?? token)) return ghost;
  const loose =
    ghost.loose.includes(call.key) ||
    ghost.calls.some((one) => one.type === 'unregister' && one.key === call.key);
  const one: Registration = {
    key: call.key,
    token,
    pid: call.pid ?? '',
    member: by.event.member,
    held: true,
    loose,
  };
  const broken = tokensRise(one, ghost.highest[call.key]);
  if (broken !== null) by.broken.push(broken);
  // Whoever has it now, the others are gone: no later call may hear of those that hold no more.
  const others = ghost.registrations.filter((other) => other.key !== call.key || other.held);
  return {
    ...ghost,
    registrations: [...others, one],
    highest: { ...ghost.highest, [call.key]: token },
    calls: ghost.calls.map((other) =>
      other.key === call.key ? { ...other, seen: [...other.seen, text] } : other,
    ),
  };
}

function judgeNamed(call: Call, result: Extract<Result, { type: 'taken' | 'found' }>, by: Judging): void {
  const text = `${result.token.epoch}.${result.token.n} ${result.pid.key}`;
  if (call.seen.includes(text)) return;
  by.broken.push({
    invariant: 'verdicts',
    what: `call ${call.id} (${call.type} ${call.key}) names ${text}, of ${call.seen.join(', ') || 'none'}`,
  });
}

/** The name was free at some instant of the call: whoever had it before has it no more. */
function goneNow(ghost: Ghost, call: Call, by: Judging): Ghost {
  const mine = (one: Registration): boolean => one.key === call.key && call.before.includes(tell(one));
  for (const one of ghost.registrations) {
    // What this very step removes at its host is let go by it.
    const kept =
      one.member !== by.event.member || by.event.after?.hosted.has(`${one.key} ${tell(one)}`) === true;
    if (mine(one) && one.held && kept && by.event.runs(one.member))
      by.broken.push({
        invariant: 'consistent',
        what: `call ${call.id} (${call.type} ${call.key}) is answered as if ${tellRegistration(one)} were gone, which held throughout`,
      });
  }
  return { ...ghost, registrations: ghost.registrations.filter((one) => !mine(one) || one.held) };
}
