// Breadth first through all states of a scope. States are kept in full, with the state and the action that first led to
// each, so the way to a violation is a shortest one, and no two states are ever taken for one.
import type { Broken } from '../invariants/state.ts';
import { Actions } from './actions.ts';
import { Cluster } from './cluster.ts';
import { prepare } from './root.ts';
import type { Scope } from './scope.ts';
import { IntList, RowTable } from './tables.ts';

export interface Violation {
  readonly broken: Broken;
  /** Actions from the root on. */
  readonly path: readonly number[];
}

export interface Found {
  readonly scope: string;
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** All states within the budgets and the horizon were reached. */
  readonly exhausted: boolean;
  readonly violations: readonly Violation[];
  readonly taken: readonly string[];
  readonly localStates: number;
  readonly localSteps: number;
}

export interface SearchOptions {
  readonly stopAtFirst?: boolean;
  readonly statesMax?: number;
  /** Asked for every `scope.healEvery`-th state. */
  readonly heal?: (cluster: Cluster, actions: Actions) => Broken | null;
  /** An action that is left out, as if the code had forgotten it. */
  readonly without?: (code: number) => boolean;
}

export class Search {
  readonly cluster: Cluster;
  readonly actions: Actions;
  readonly #options: SearchOptions;
  readonly #rows: RowTable;
  readonly #parents: IntList = new IntList();
  readonly #codes: IntList = new IntList();
  readonly #base: Int32Array;
  readonly #violations: Violation[] = [];
  #transitions = 0;

  constructor(scope: Scope, options: SearchOptions = {}) {
    this.cluster = new Cluster(scope);
    this.actions = new Actions(this.cluster);
    this.#options = options;
    this.#rows = new RowTable(this.cluster.at.width);
    this.#base = new Int32Array(this.cluster.at.width);
  }

  run(): Found {
    const { cluster } = this;
    const { scope } = cluster;
    prepare(cluster, this.actions);
    this.#visit(-1, 0);
    const max = Math.min(this.#options.statesMax ?? Infinity, scope.statesMax ?? Infinity);
    let [depth, levelEnds, place] = [0, 1, 0];
    for (; place < this.#rows.size && this.#rows.size < max; place++) {
      if (place === levelEnds) {
        depth++;
        levelEnds = this.#rows.size;
      }
      this.#expand(place);
      if (this.#options.stopAtFirst === true && this.#violations.length > 0) break;
    }
    return {
      scope: scope.name,
      states: this.#rows.size,
      transitions: this.#transitions,
      depth,
      exhausted: place === this.#rows.size,
      violations: this.#violations,
      taken: [...cluster.coverage.taken],
      localStates: cluster.locals.size,
      localSteps: cluster.locals.steps,
    };
  }

  #expand(place: number): void {
    const { row } = this.cluster;
    const base = this.#base;
    this.#rows.read(place, base);
    row.set(base);
    const codes = this.actions.enabled();
    for (const code of codes) {
      if (this.#options.without?.(code)) continue;
      row.set(base);
      this.actions.do(code);
      this.#transitions++;
      this.#visit(place, code);
    }
    this.#healed(place);
  }

  #healed(place: number): void {
    const every = this.cluster.scope.healEvery ?? 0;
    if (every === 0 || place % every !== 0 || this.#options.heal === undefined) return;
    this.cluster.row.set(this.#base);
    const broken = this.#options.heal(this.cluster, this.actions);
    if (broken !== null) this.#report(broken, this.pathTo(place));
    this.cluster.broken = null;
  }

  /** A step that broke something is not gone on from, unless that is meant. */
  #visit(parent: number, code: number): void {
    const { cluster } = this;
    let { broken } = cluster;
    if (broken !== null) {
      cluster.broken = null;
      this.#report(broken, [...this.pathTo(parent), code]);
      if (!this.#isMeant(broken)) return;
    }
    const place = this.#rows.add(cluster.row);
    if (place >= 0) return;
    this.#parents.push(parent);
    this.#codes.push(code);
    broken = cluster.check();
    if (broken !== null) this.#report(broken, this.pathTo(-1 - place));
  }

  #isMeant(broken: Broken): boolean {
    return this.cluster.scope.breaks?.includes(broken.invariant) === true;
  }

  /** The first of each invariant. */
  #report(broken: Broken, path: readonly number[]): void {
    if (this.#violations.some((one) => one.broken.invariant === broken.invariant)) return;
    this.#violations.push({ broken, path });
  }

  pathTo(place: number): number[] {
    const path: number[] = [];
    for (let at = place; at > 0; at = this.#parents.at(at)) path.push(this.#codes.at(at));
    return path.reverse();
  }
}
