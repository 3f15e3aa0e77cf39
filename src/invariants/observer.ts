// What callers were told, in the order of one clock, and what follows from it: who certainly holds which name from when to
// when, and which answers can therefore not be right. It knows nothing of leaders and replicas, so it judges a simulation
// step by step as well as what real processes wrote down. What cannot be seen from single answers is left to linearize.ts.
import type { NameKey } from '../registry/protocol/types.ts';
import { compareVersions, sameVersion, type Version } from '../registry/protocol/version.ts';
import type { Check } from './catalogue.ts';

/** A registration that was acknowledged. Moments are of the observer's clock. */
export interface Registration<P> {
  readonly name: NameKey;
  readonly token: Version;
  readonly process: P;
  /** It was granted at this moment or later, */
  readonly grantedFrom: number;
  /** and held at this one, when its caller had the answer. */
  readonly heldFrom: number;
  /** When it certainly held no more; `Infinity` while nothing is known to have ended it. */
  endedAt: number;
  /** It was gone by then at the latest: somebody was told so, or was given the name. */
  goneBy: number;
}

/** What the observer cannot know from answers. */
export interface World<P> {
  now(): number;
  /** By which answers call the process: the key of its pid. */
  idOf(process: P): string;
  /** Until when it certainly held, or holds: later than now where nothing is known to end it. Never later than its `endedAt`. */
  holdsUntil(one: Registration<P>): number;
  /** Answers are told at the instant at which they became true; otherwise their callers may hear of them later, in any order. */
  readonly exact: boolean;
  /** May throw; if it returns, the observer goes on. */
  broken(check: Check, what: string): void;
}

/** A call that has just been answered. */
export interface Told {
  /** For people. */
  readonly call: string;
  readonly name: NameKey;
  readonly start: number;
}

export class Observer<P> {
  readonly #world: World<P>;
  readonly #byName: Map<NameKey, Registration<P>[]> = new Map();
  /** By name and process: when it was first asked for. */
  readonly #asked: Map<string, number> = new Map();

  constructor(world: World<P>) {
    this.#world = world;
  }

  /** All registrations of the name, in the order of their acknowledgement. */
  of(name: NameKey): readonly Registration<P>[] {
    return this.#byName.get(name) ?? [];
  }

  /** A registration that may be granted from now on; needed where the observer is not exact. */
  asked(name: NameKey, process: P, at: number): void {
    const key = `${typeof name} ${name} ${this.#world.idOf(process)}`;
    this.#asked.set(key, Math.min(at, this.#asked.get(key) ?? at));
  }

  /** I1, I2 and I4. Returns what is new, `undefined` where the same registration was acknowledged once more. */
  registered(told: Told & { readonly process: P; readonly token: Version }): Registration<P> | undefined {
    const { name, token, process, start } = told;
    const known = this.of(name).find((one) => sameVersion(one.token, token));
    if (known !== undefined) {
      this.#checkRepeated(told, known);
      return undefined;
    }
    const { exact } = this.#world;
    const heldFrom = this.#world.now();
    const grantedFrom = exact ? heldFrom : start;
    const fresh = { name, token, process, grantedFrom, heldFrom, endedAt: Infinity, goneBy: Infinity };
    const others = this.#byName.get(name);
    if (others === undefined) this.#byName.set(name, [fresh]);
    else {
      this.#checkOrder(fresh, others);
      this.#checkAlone(fresh, others);
      for (const one of others)
        if (one.heldFrom <= grantedFrom) one.goneBy = Math.min(one.goneBy, fresh.heldFrom);
      others.push(fresh);
    }
    return fresh;
  }

  /** I5: `taken` or `found`, with the process that has the name, and the token where it is known. */
  named(told: Told & { readonly holder: string; readonly token?: Version | undefined }): void {
    const { call, name, holder, token, start } = told;
    const meant = this.of(name).filter(
      (one) =>
        (token === undefined || sameVersion(one.token, token)) && this.#world.idOf(one.process) === holder,
    );
    if (meant.length === 0 && !this.#mayHaveHeld(name, holder)) {
      const what = token === undefined ? holder : `${holder} (token ${tellToken(token)})`;
      this.#world.broken('real', `${call} names ${name} → ${what}: never acknowledged`);
    }
    const [first] = meant;
    if (first !== undefined && meant.every(({ goneBy }) => goneBy < start))
      this.#world.broken(
        'not-stale',
        `${call} names ${this.tell(first)}, gone by ${first.goneBy.toFixed(1)}`,
      );
  }

  /** I6, the part of one answer: nobody has the name. */
  absent(told: Told): void {
    this.#nobody(told, 'not-blind');
  }

  /** I6: an unregistration is done. */
  unregistered(told: Told): void {
    this.#nobody(told, 'effective');
  }

  tell({ name, process, token, heldFrom }: Registration<P>): string {
    return `${name} → ${this.#world.idOf(process)} (token ${tellToken(token)}, since ${heldFrom.toFixed(1)})`;
  }

  #nobody({ call, name, start }: Told, check: 'not-blind' | 'effective'): void {
    const now = this.#world.now();
    for (const one of this.of(name)) {
      if (one.heldFrom >= start) continue;
      if (this.#world.holdsUntil(one) > now)
        this.#world.broken(check, `${call} says that nobody has it, but ${this.tell(one)} held throughout`);
      one.goneBy = Math.min(one.goneBy, now);
    }
  }

  /** Its caller may never have heard of it, or not yet. */
  #mayHaveHeld(name: NameKey, holder: string): boolean {
    if (this.#world.exact) return false;
    return (this.#asked.get(`${typeof name} ${name} ${holder}`) ?? Infinity) <= this.#world.now();
  }

  #checkAlone(fresh: Registration<P>, others: readonly Registration<P>[]): void {
    if (this.#world.holdsUntil(fresh) <= fresh.heldFrom) return;
    for (const one of others)
      if (this.#world.holdsUntil(one) > fresh.heldFrom)
        this.#world.broken('one-owner', `${this.tell(fresh)} was acknowledged while ${this.tell(one)} holds`);
  }

  #checkOrder(fresh: Registration<P>, others: readonly Registration<P>[]): void {
    for (const one of others)
      if (one.heldFrom <= fresh.grantedFrom && compareVersions(fresh.token, one.token) <= 0)
        this.#world.broken('tokens', `${this.tell(fresh)} was acknowledged after ${this.tell(one)}`);
  }

  /** The same token once more: the same process, which held the name at some moment of the call. */
  #checkRepeated(told: Told & { readonly process: P }, known: Registration<P>): void {
    const who = this.#world.idOf(told.process);
    if (this.#world.idOf(known.process) !== who)
      this.#world.broken('tokens', `${told.call} of ${who} got the token of ${this.tell(known)}`);
    if (Math.min(known.endedAt, known.goneBy) < told.start)
      this.#world.broken('kept', `${told.call} was told that ${this.tell(known)} holds, which had ended`);
  }
}

export function tellToken({ epoch, n }: Version): string {
  return `${epoch}.${n}`;
}
