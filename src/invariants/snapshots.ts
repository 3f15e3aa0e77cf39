// I7. What leaders granted and removed, in their own order; and of what snapshot reads show at a member: that it was
// granted, that it stood at the version of the replica, and that nothing comes back. The replica of a leader before its
// take-over is complete has no version; what a host has of its own it knows before any version says so; and what a member
// that does not count yet was shown may be news to the next leader.
import type { Entry, Op } from '../registry/protocol/messages.ts';
import type { LeaderState, MemberState } from '../registry/protocol/state.ts';
import type { MemberKey, NameKey } from '../registry/protocol/types.ts';
import { compareVersions, type Version } from '../registry/protocol/version.ts';
import type { Check } from './catalogue.ts';
import { tellToken } from './observer.ts';

type Broken = (check: Check, what: string) => void;

/** The last that one member has shown of one name. */
interface Shown {
  readonly token: Version;
  readonly gone: boolean;
  /** It was established then: a take-over that did not hear of it knows what it knew. */
  readonly counted: boolean;
}

/** One n of all epochs: as a number, since there are many. */
function numberOf({ epoch, n }: Version): number {
  return epoch * 2 ** 32 + n;
}

export class Snapshots {
  readonly #broken: Broken;
  /** By token. */
  readonly #grants: Map<number, Entry> = new Map();
  /** By the token of what was removed: the version. */
  readonly #removals: Map<number, Version> = new Map();
  readonly #dropped: Map<MemberKey, Version> = new Map();
  /** How far the operations of each epoch are known. */
  readonly #known: Map<number, number> = new Map();
  readonly #shown: Map<string, Shown> = new Map();
  reads = 0;

  constructor(broken: Broken) {
    this.#broken = broken;
  }

  /** After each step of a member that leads. Also I2: no token is given to two registrations, acknowledged or not. */
  led(state: MemberState, leader: LeaderState): void {
    const known = this.#known.get(leader.epoch) ?? 0;
    if (leader.n <= known) return;
    this.#known.set(leader.epoch, leader.n);
    const { base, ops } = leader.log;
    for (let n = Math.max(known, base) + 1; n <= leader.n; n++)
      this.#operation({ epoch: leader.epoch, n }, ops[n - base - 1]);
    if (known >= base) return;
    // The log was cut within the step: what was granted in it and stands is in the table.
    for (const entry of state.replica.entries.values())
      if (entry.token.epoch === leader.epoch && entry.token.n > known) this.#granted(entry);
  }

  /** A snapshot read at that member: the entry that its table has of the name. What it hides is not asked. */
  read(state: MemberState, name: NameKey, entry: Entry | undefined): void {
    this.reads++;
    const key = `${state.self} ${typeof name} ${name}`;
    const before = this.#shown.get(key);
    if (entry === undefined) {
      if (before !== undefined && !before.gone)
        this.#shown.set(key, { token: before.token, gone: true, counted: counts(state) });
      return;
    }
    this.#checkGranted(state, name, entry);
    if (before !== undefined) {
      const order = compareVersions(entry.token, before.token);
      if (before.counted && (order < 0 || (order === 0 && before.gone)))
        this.#broken('no-return', `${tell(state, entry)}, after ${tellToken(before.token)} had gone`);
    }
    this.#shown.set(key, { token: entry.token, gone: false, counted: counts(state) });
    if (hasVersion(state) && entry.host !== state.self) this.#checkVersion(state, entry);
  }

  #checkGranted(state: MemberState, name: NameKey, entry: Entry): void {
    const grant = this.#grants.get(numberOf(entry.token));
    const same = grant?.key === name && grant.host === entry.host && grant.pid.equals(entry.pid);
    if (!same || entry.key !== name) this.#broken('granted', `${tell(state, entry)}: nobody granted that`);
  }

  #checkVersion(state: MemberState, entry: Entry): void {
    const { version } = state.replica;
    if (compareVersions(entry.token, version) > 0)
      this.#broken('of-its-version', `${tell(state, entry)}, which was granted later`);
    const removal = this.#removals.get(numberOf(entry.token)) ?? this.#dropped.get(entry.host);
    if (removal === undefined || compareVersions(removal, entry.token) < 0) return;
    if (removal.epoch === version.epoch && removal.n <= version.n)
      this.#broken('of-its-version', `${tell(state, entry)}, which was removed at ${tellToken(removal)}`);
  }

  #operation(version: Version, op: Op | undefined): void {
    if (op?.type === 'put') {
      // Of an earlier leader, and told late by its host: whoever removed it had not heard of it.
      if (compareVersions(op.entry.token, version) === 0) this.#granted(op.entry);
      else this.#removals.delete(numberOf(op.entry.token));
    } else if (op?.type === 'remove') this.#removals.set(numberOf(op.token), version);
    else if (op?.type === 'dropHost') this.#dropped.set(op.host, version);
  }

  #granted(entry: Entry): void {
    const number = numberOf(entry.token);
    const other = this.#grants.get(number);
    if (other === undefined) this.#grants.set(number, entry);
    else if (other.key !== entry.key || !other.pid.equals(entry.pid))
      this.#broken('tokens', `${tellToken(entry.token)} was given to ${other.key} and to ${entry.key}`);
  }
}

function hasVersion({ leader, follow }: MemberState): boolean {
  return leader === null ? follow.adopted : leader.complete;
}

function counts({ store, self }: MemberState): boolean {
  return store.view?.record?.established.includes(self) === true;
}

function tell({ self, replica }: MemberState, { key, pid, host, token }: Entry): string {
  return `${self} at version ${tellToken(replica.version)} shows ${key} → ${pid} at ${host} (token ${tellToken(token)})`;
}
