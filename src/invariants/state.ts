// Invariants of one instant of a cluster, and of one step of a member, as functions of plain views: the explorer asks
// them after each transition, the simulator after each step. Each returns what is broken, or `null`. Names and numbers
// are those of catalogue.ts.
import { hasAuthority } from '../registry/protocol/authority.ts';
import type { MemberState } from '../registry/protocol/state.ts';
import type { Instant, LeaderRecord, MemberKey, NameKey } from '../registry/protocol/types.ts';
import { compareVersions, type Version } from '../registry/protocol/version.ts';
import type { InvariantName } from './catalogue.ts';

export interface Broken {
  readonly invariant: InvariantName;
  readonly what: string;
}

/** A member that runs, paused or not, and what its clock shows at the instant that is judged. */
export interface MemberAt {
  readonly state: MemberState;
  readonly now: Instant;
}

/** A registration of which a caller was told `registered`, and whose process lives. */
export interface Acknowledged {
  readonly key: NameKey;
  readonly token: Version;
  /** Key of the pid. */
  readonly pid: string;
  readonly member: MemberKey;
}

function tellVersion(version: Version): string {
  return `${version.epoch}.${version.n}`;
}

export function tellRegistration(one: Acknowledged): string {
  return `${one.key} of ${one.pid} at ${one.member} (token ${tellVersion(one.token)})`;
}

/** The member's session runs at this instant, as the member itself counts. */
function sessionRuns({ state, now }: MemberAt): boolean {
  const until = state.follow.sessionUntil;
  return state.phase !== 'fenced' && state.phase !== 'left' && until !== null && now < until;
}

/** I1, for the registrations of one name of which `holds` says that they hold. */
export function oneOwner<R extends Acknowledged>(
  of: readonly R[],
  holds: (one: R) => boolean,
): Broken | null {
  const holding = of.filter(holds);
  const [first, second] = holding;
  if (first === undefined || second === undefined) return null;
  return {
    invariant: 'one-owner',
    what: `${tellRegistration(first)} and ${tellRegistration(second)} hold at one instant`,
  };
}

/** I2: `token` is given to a registration that was not acknowledged before; `highest` is the highest of its name until now. */
export function tokensRise(one: Acknowledged, highest: Version | undefined): Broken | null {
  if (highest === undefined || compareVersions(one.token, highest) > 0) return null;
  return {
    invariant: 'tokens',
    what: `${tellRegistration(one)} was acknowledged after token ${tellVersion(highest)}`,
  };
}

/** I3. */
export function oneAuthority(members: Iterable<MemberAt>): Broken | null {
  let first: MemberKey | null = null;
  for (const { state, now } of members) {
    if (!hasAuthority(state, now)) continue;
    if (first !== null)
      return { invariant: 'one-authority', what: `${first} and ${state.self} may both decide` };
    first = state.self;
  }
  return null;
}

interface Replicated {
  readonly self: MemberKey;
  readonly replica: { readonly version: Version };
}

/** I7, the part of one member: two states of it in the order of time. */
export function forward(before: Replicated, after: Replicated): Broken | null {
  if (before.self !== after.self) return null;
  const [from, to] = [before.replica.version, after.replica.version];
  if (compareVersions(to, from) >= 0) return null;
  return {
    invariant: 'snapshots',
    what: `the replica of ${after.self} went from ${tellVersion(from)} back to ${tellVersion(to)}`,
  };
}

/** I8: the record of a member that runs is taken from the store at this instant. */
export function evicted(member: MemberAt): Broken | null {
  if (member.state.follow.goodbye || !sessionRuns(member)) return null;
  const left = (member.state.follow.sessionUntil ?? member.now) - member.now;
  return {
    invariant: 'evicted',
    what: `the record of ${member.state.self} is removed ${left} ms of its clock before its session lapses`,
  };
}

/** I9: `started` is how many incarnations there ever were. */
export function boundedStore(
  record: LeaderRecord | null,
  members: readonly MemberKey[],
  started: number,
): Broken | null {
  const known = new Set([...members, ...(record?.established ?? [])]);
  const twice = members.length !== new Set(members).size;
  if (known.size <= started && !twice) return null;
  return {
    invariant: 'bounded-store',
    what: `${started} incarnations, but the store names ${[...known].join(' ')}`,
  };
}

/** I10. */
export function ownNames(state: MemberState): Broken | null {
  if (state.phase === 'fenced' || state.phase === 'left') return null;
  for (const { names, pid } of state.host.hosted.values()) {
    for (const key of names) {
      const entry = state.replica.entries.get(key);
      if (entry === undefined || entry.host !== state.self || !entry.pid.equals(pid))
        return { invariant: 'own-names', what: `${state.self} lists ${key} for ${pid}, its table does not` };
    }
  }
  return null;
}
