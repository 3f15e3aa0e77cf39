// The client of the demo: calls every name, over and over, from one node. A call that fails is tried again until its
// deadline, and where nobody has the name the caller starts a server for it: all callers do, and one of them wins.
import { type Node, type Registry, within } from '../src/index.ts';
import { type Failure, shortName, type Tally } from './messages.ts';
import { cameSecond, isOlder, Room } from './room.ts';
import { nowUs, type Token, type Witness } from './witness.ts';

export interface CallerParts {
  readonly node: Node;
  readonly registry: Registry;
  readonly witness: Witness;
  readonly names: readonly string[];
  /** How long one tour of all names takes at leisure. */
  readonly tourMs: number;
  readonly onRound: (id: number, atUs: number) => void;
}

const tickMs = 10;
/** How much faster the tours are while a round is wanted. */
const haste = 4;
const attemptMs = 2_000;
const startMs = 5_000;
/** Longer than a session: a name whose host hangs is free again by then. */
const deadlineMs = 12_000;
const pauseMs = 20;

export class Caller {
  readonly tally: Tally = {
    calls: 0,
    atOnce: 0,
    retried: 0,
    failed: 0,
    started: 0,
    lateStarts: 0,
    tokensBack: 0,
  };
  readonly #parts: CallerParts;
  readonly #busy: Set<string> = new Set();
  readonly #lastHost: Map<string, string> = new Map();
  readonly #lastToken: Map<string, Token> = new Map();
  #failures: Failure[] = [];
  #round: { readonly id: number; readonly fromUs: number; readonly missing: Set<string> } | undefined;
  #next: number;
  /** Calls to be begun, with a fraction. */
  #due = 0;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: CallerParts) {
    this.#parts = parts;
    // No two nodes go through the names in step.
    this.#next = Math.floor(Math.random() * parts.names.length);
  }

  run(wanted: boolean): void {
    clearInterval(this.#timer);
    this.#timer = wanted ? setInterval(() => this.#tick(), tickMs) : undefined;
  }

  /** No call begins any more, and none is tried again; those that have no answer yet are not counted. */
  close(): void {
    this.#closed = true;
    this.run(false);
  }

  /** Reports when every name has answered a call begun from now on. A later round replaces an earlier one. */
  round(id: number): void {
    this.#round = { id, fromUs: nowUs(), missing: new Set(this.#parts.names) };
  }

  takeFailures(): Failure[] {
    const failures = this.#failures;
    this.#failures = [];
    return failures;
  }

  /** Starts a server where nobody has the name. */
  async start(name: string): Promise<void> {
    const { node, registry, witness } = this.#parts;
    try {
      await node.start(Room, { name, registry, witness }, { timeoutMs: startMs });
      this.tally.started += 1;
    } catch (error) {
      if (!cameSecond(error)) throw error;
      this.tally.lateStarts += 1;
    }
  }

  #tick(): void {
    const { names, tourMs } = this.#parts;
    const share = ((names.length * tickMs) / tourMs) * (this.#round === undefined ? 1 : haste);
    this.#due = Math.min(this.#due + share, names.length);
    for (; this.#due >= 1; this.#due--) {
      const name = names[this.#next % names.length] as string;
      this.#next += 1;
      if (!this.#busy.has(name)) void this.#call(name);
    }
  }

  async #call(name: string): Promise<void> {
    const deadlineUs = nowUs() + deadlineMs * 1_000;
    this.#busy.add(name);
    const atOnce = await this.#attempt(name);
    let answered = atOnce;
    while (!answered && !this.#closed && nowUs() < deadlineUs) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      answered = await this.#attempt(name);
    }
    this.#busy.delete(name);
    if (this.#closed && !answered) return;
    this.tally.calls += 1;
    if (atOnce) this.tally.atOnce += 1;
    else if (answered) this.tally.retried += 1;
    else this.tally.failed += 1;
  }

  async #attempt(name: string): Promise<boolean> {
    const { node, registry } = this.#parts;
    const fromUs = nowUs();
    const holder = registry.whereis(name)?.node.name;
    try {
      if (holder === undefined) await this.#revive(name);
      else this.#lastHost.set(name, shortName(holder));
      const { token } = await node.call(registry.address(Room, name), 'serve', within(attemptMs));
      this.#answered(name, token, fromUs);
      return true;
    } catch (error) {
      const code = String((error as { code?: unknown }).code ?? error);
      this.#failures.push({ name, host: this.#lastHost.get(name), code, fromUs, toUs: nowUs() });
      return false;
    }
  }

  /** Nobody has the name: that its host has lost it counts as a failed attempt, whatever comes of the start. */
  async #revive(name: string): Promise<void> {
    const atUs = nowUs();
    this.#failures.push({ name, host: this.#lastHost.get(name), code: 'noproc', fromUs: atUs, toUs: atUs });
    await this.start(name);
  }

  #answered(name: string, token: Token, fromUs: number): void {
    const last = this.#lastToken.get(name);
    if (last !== undefined && isOlder(token, last)) this.tally.tokensBack += 1;
    else this.#lastToken.set(name, token);
    const round = this.#round;
    if (round === undefined || fromUs < round.fromUs) return;
    round.missing.delete(name);
    if (round.missing.size > 0) return;
    this.#round = undefined;
    this.#parts.onRound(round.id, nowUs());
  }
}
