// The checker: reads a witness from its first line to its last and decides whether a name ever had two owners, and
// whether an owner that had been replaced still acted. It trusts nothing but the order of the lines and what was done
// to the processes from outside; docs/DEMO.md says why each rule is fair.
import { compareTokens } from '../src/index.ts';
import type { Token, WitnessRecord } from './witness.ts';

export interface Findings {
  readonly lines: number;
  readonly acquired: number;
  readonly served: number;
  /** Names given to a server while another one, alive and not frozen, had it. */
  doubleOwners: number;
  /** Lines of an owner that had been replaced, outside of a thawed process's last instant. */
  tokenRegressions: number;
  /** Calls answered by a server without a name: before it had it, or after its end. */
  unownedActs: number;
  /** Lines of owners that had been replaced, in a thawed process's last instant. The guard refused them. */
  refusedAfterThaw: number;
  /** From the thaw to the end of the last server that had been replaced meanwhile; 0 when there was none. */
  lastInstantUs: number;
  /** The first few faults in words. */
  readonly faults: string[];
}

interface Owner {
  readonly name: string;
  readonly node: string;
  readonly pid: number;
  readonly token: Token;
  ended: boolean;
  /** Another server got the name while this one's process was frozen, or had just been thawed. */
  replaced: boolean;
}

interface Fate {
  state: 'running' | 'killed' | 'frozen' | 'thawed';
  atUs: number;
}

/** How long a thawed process may take to find out that it has lost its names. */
export const lastInstantMaxUs = 1_000_000;
const faultsMax = 20;

export class Checker {
  readonly #names: Map<string, { highest: Token; readonly owners: Owner[] }> = new Map();
  readonly #fates: Map<number, Fate> = new Map();
  readonly #findings: { -readonly [K in keyof Findings]: Findings[K] } = {
    lines: 0,
    acquired: 0,
    served: 0,
    doubleOwners: 0,
    tokenRegressions: 0,
    unownedActs: 0,
    refusedAfterThaw: 0,
    lastInstantUs: 0,
    faults: [],
  };

  /** Takes the next line. */
  take(record: WitnessRecord): void {
    this.#findings.lines += 1;
    switch (record.event) {
      case 'acquired':
        this.#acquired(record);
        return;
      case 'served':
        this.#served(record);
        return;
      case 'ended':
        this.#ended(record);
        return;
      case 'killing':
        this.#fates.set(record.pid, { state: 'killed', atUs: record.atUs });
        return;
      case 'frozen':
        this.#fates.set(record.pid, { state: 'frozen', atUs: record.atUs });
        return;
      case 'thawing':
        this.#fates.set(record.pid, { state: 'thawed', atUs: record.atUs });
        return;
      default:
        record.event satisfies never;
    }
  }

  /** The verdict on a witness that nobody writes any more. */
  finish(): Findings {
    for (const { owners } of this.#names.values()) {
      for (const owner of owners) {
        if (!owner.replaced || owner.ended || this.#fate(owner.pid).state !== 'thawed') continue;
        this.#findings.doubleOwners += 1;
        this.#fault(`${describe(owner)} was thawed, had been replaced, and never ended`);
      }
    }
    return this.#findings;
  }

  #acquired(record: WitnessRecord): void {
    this.#findings.acquired += 1;
    const { name, node, pid, token } = record;
    const known = this.#names.get(name) ?? { highest: token, owners: [] };
    this.#names.set(name, known);
    for (const other of known.owners) this.#replace(other, record);
    this.#checkOrder(record);
    known.owners.push({ name, node, pid, token, ended: false, replaced: false });
    // Who has ended, or was killed, has said its last; whoever says more is found by its token.
    if (known.owners.length > 16)
      known.owners.splice(
        0,
        known.owners.findIndex((owner) => !owner.ended),
      );
  }

  #replace(owner: Owner, by: WitnessRecord): void {
    if (owner.ended) return;
    const fate = this.#fate(owner.pid);
    if (fate.state === 'killed') {
      owner.ended = true;
    } else if (fate.state === 'frozen' || this.#inLastInstant(owner.pid, by.atUs)) {
      owner.replaced = true;
    } else {
      this.#findings.doubleOwners += 1;
      this.#fault(`${describe(by)} got the name while ${describe(owner)} had it`);
    }
  }

  #served(record: WitnessRecord): void {
    this.#findings.served += 1;
    if (!this.#checkOrder(record)) return;
    const owner = this.#ownerOf(record);
    if (owner !== undefined && !owner.ended) return;
    this.#findings.unownedActs += 1;
    this.#fault(
      `${describe(record)} served ${owner === undefined ? 'before it had the name' : 'after its end'}`,
    );
  }

  #ended(record: WitnessRecord): void {
    const owner = this.#ownerOf(record);
    if (owner === undefined) return;
    owner.ended = true;
    if (!owner.replaced) return;
    const afterUs = record.atUs - this.#fate(owner.pid).atUs;
    this.#findings.lastInstantUs = Math.max(this.#findings.lastInstantUs, afterUs);
    if (afterUs <= lastInstantMaxUs) return;
    this.#findings.doubleOwners += 1;
    this.#fault(`${describe(owner)} had been replaced and ended only ${afterUs} us after the thaw`);
  }

  /** False for a line of an owner that had been replaced. */
  #checkOrder(record: WitnessRecord): boolean {
    const known = this.#names.get(record.name);
    if (known === undefined) return true;
    const order = compareTokens(record.token, known.highest);
    // A grant has a token of its own; acts repeat it.
    if (order > 0 || (order === 0 && (record.event === 'served' || known.owners.length === 0))) {
      known.highest = record.token;
      return true;
    }
    if (record.event === 'served' && this.#inLastInstant(record.pid, record.atUs)) {
      this.#findings.refusedAfterThaw += 1;
    } else {
      this.#findings.tokenRegressions += 1;
      this.#fault(`${describe(record)} ${record.event} after token ${show(known.highest)} was seen`);
    }
    return false;
  }

  #ownerOf({ name, pid, token }: WitnessRecord): Owner | undefined {
    return this.#names
      .get(name)
      ?.owners.find((owner) => owner.pid === pid && compareTokens(owner.token, token) === 0);
  }

  #inLastInstant(pid: number, atUs: number): boolean {
    const fate = this.#fate(pid);
    return fate.state === 'thawed' && atUs - fate.atUs <= lastInstantMaxUs;
  }

  #fate(pid: number): Fate {
    return this.#fates.get(pid) ?? { state: 'running', atUs: 0 };
  }

  #fault(what: string): void {
    if (this.#findings.faults.length < faultsMax) this.#findings.faults.push(what);
  }
}

const show = (token: Token): string => `${token.epoch}.${token.n}`;
const describe = (one: { name: string; node: string; pid: number; token: Token }): string =>
  `${one.name} on ${one.node} (pid ${one.pid}, token ${show(one.token)})`;

/** The verdict on a whole witness. */
export function check(records: Iterable<WitnessRecord>): Findings {
  const checker = new Checker();
  for (const record of records) checker.take(record);
  return checker.finish();
}
