// A failing run made as small as it gets while it fails in the same way: without what happened after, with plain weather,
// without the faults, calls, losses and nodes that it does not need, with shorter faults. What is left is told by story.ts.
import type { Check } from '../invariants/catalogue.ts';
import { type Action, isDeed } from './actions.ts';
import { ddmin } from './ddmin.ts';
import { type Parts, type RunResult, runScenario } from './run.ts';
import type { Scenario } from './scenario.ts';
import { calmer, concrete, plainer, smaller, sooner } from './simplify.ts';

export interface Shrunk {
  readonly scenario: Scenario;
  /** Runs that it took. */
  readonly runs: number;
  /** It was over before time was. */
  readonly done: boolean;
}

/** Simulated milliseconds for which a simpler run may take longer to fail. */
const patienceMs = 3000;
/** Checks that look when everything should be at rest: the whole run is needed to fail them. */
const atTheEnd: ReadonlySet<string> = new Set<Check>([
  'at-rest',
  'complete',
  'digests',
  'bounded-store',
  'agreed',
  'alarms',
  'linearizable',
]);

/** `outOfTime`: asked between runs. The scenario must fail; the result fails by the same check. */
export function shrink(scenario: Scenario, outOfTime: () => boolean): Shrunk {
  const shrinker = new Shrinker(scenario, outOfTime);
  return { scenario: shrinker.shrink(), runs: shrinker.runs, done: !outOfTime() };
}

class Shrinker {
  runs = 0;
  #best: Scenario;
  readonly #outOfTime: () => boolean;
  readonly #check: string;
  #failedAt: number;

  constructor(scenario: Scenario, outOfTime: () => boolean) {
    this.#best = scenario;
    this.#outOfTime = outOfTime;
    const { failure } = this.#run(scenario, Infinity);
    if (failure === null) throw new Error('nothing to shrink: the run does not fail');
    this.#check = failure.check;
    this.#failedAt = failure.at;
  }

  shrink(): Scenario {
    this.#dropTail();
    for (let before = ''; before !== JSON.stringify(this.#best) && !this.#outOfTime(); ) {
      before = JSON.stringify(this.#best);
      this.#dropKinds();
      this.#dropActions((action) => !isDeed(action));
      this.#dropActions(isDeed);
      this.#tryAll(calmer);
      this.#fixLosses();
      this.#nameVictims();
      this.#tryAll(smaller);
      this.#makePlainer();
      this.#shorten();
    }
    return this.#best;
  }

  /** Takes the simpler run where it still fails in the same way. */
  #try(simpler: Scenario): boolean {
    if (this.#outOfTime()) return false;
    const until = atTheEnd.has(this.#check) ? Infinity : this.#failedAt + patienceMs;
    const { failure } = this.#run(simpler, until);
    if (failure?.check !== this.#check) return false;
    this.#best = simpler;
    this.#failedAt = failure.at;
    return true;
  }

  #run(scenario: Scenario, untilMs: number, observe?: (parts: Parts) => void): RunResult {
    this.runs++;
    return runScenario(scenario, { untilMs, storyLines: 0, ...(observe === undefined ? {} : { observe }) });
  }

  /** What happened after the failure did not cause it. */
  #dropTail(): void {
    const { actions, options } = this.#best;
    this.#try({ ...this.#best, actions: actions.filter(({ at }) => at <= this.#failedAt) });
    const last = this.#best.actions.at(-1)?.at ?? 0;
    this.#try({
      ...this.#best,
      options: { ...options, faultsUntilMs: Math.min(options.faultsUntilMs, last + 1000) },
    });
  }

  #dropKinds(): void {
    for (const kind of new Set(this.#best.actions.map((action) => action.do)))
      if (kind !== 'start')
        this.#try({ ...this.#best, actions: this.#best.actions.filter((action) => action.do !== kind) });
  }

  #dropActions(which: (action: Action) => boolean): void {
    ddmin(this.#best.actions.filter(which), {
      outOfTime: this.#outOfTime,
      holds: (list) => {
        const kept = new Set<Action>(list);
        const actions = this.#best.actions.filter((action) => !which(action) || kept.has(action));
        return actions.length < this.#best.actions.length && this.#try({ ...this.#best, actions });
      },
    });
  }

  #tryAll(simplify: (scenario: Scenario) => Scenario[]): void {
    for (let index = 0; ; index++) {
      const simpler = simplify(this.#best)[index];
      if (simpler === undefined) return;
      // What follows was drawn up for another run.
      if (this.#try(simpler)) index = -1;
    }
  }

  /** Losses of the weather become a list, and the list becomes short. */
  #fixLosses(): void {
    const { losses, options } = this.#best;
    if (losses === undefined && options.weather.lossPerMille > 0) {
      const lost: string[] = [];
      this.#run(this.#best, this.#failedAt, ({ judged }) => {
        judged.cluster.network.dropped = (_parcel, how, mark) => {
          if (how === 'lost') lost.push(mark);
        };
      });
      this.#try({ ...this.#best, losses: lost });
    }
    if (this.#best.losses === undefined) return;
    ddmin(this.#best.losses, {
      outOfTime: this.#outOfTime,
      holds: (list) => this.#try({ ...this.#best, losses: list }),
    });
  }

  #nameVictims(): void {
    const seen: Parts[] = [];
    this.#run(this.#best, this.#failedAt, (parts) => seen.push(parts));
    const done = new Map<Action, string>(
      seen.flatMap(({ faults, workload }) => [...faults.struck, ...workload.asked]),
    );
    const named = concrete(this.#best, done);
    if (JSON.stringify(named) !== JSON.stringify(this.#best)) this.#try(named);
  }

  #makePlainer(): void {
    for (let index = 0; index < this.#best.actions.length; index++) {
      const action = this.#best.actions[index];
      if (action === undefined) return;
      for (const simpler of plainer(action)) {
        const actions = this.#best.actions.with(index, simpler).sort((a, b) => a.at - b.at);
        if (!this.#try({ ...this.#best, actions })) continue;
        index--;
        break;
      }
    }
  }

  #shorten(): void {
    for (let index = 0; index < this.#best.actions.length; index++) {
      const simpler = sooner(this.#best, index);
      if (simpler !== null && this.#try(simpler)) index--;
    }
  }
}
