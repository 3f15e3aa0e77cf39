// A batch of seeds, and what came of it: small enough to be sent from one thread to another.
import { runScenario } from './run.ts';
import { drawScenario } from './scenario.ts';

export interface Batch {
  readonly first: number;
  readonly seeds: number;
  readonly histories: boolean;
}

export interface Outcome {
  readonly seed: number;
  readonly steps: number;
  readonly failure: { readonly invariant: string; readonly what: string } | null;
  /** The clocks left the bound, and this broke, or `null`. */
  readonly beyond: { readonly broken: string | null } | null;
  readonly restAfterMs: number;
  /** Of what is allowed, 0 to 1. */
  readonly restShare: number;
}

export function runBatch({ first, seeds, histories }: Batch): Outcome[] {
  return Array.from({ length: seeds }, (_, index) => outcomeOf(first + index, histories));
}

function outcomeOf(seed: number, histories: boolean): Outcome {
  const result = runScenario({ ...drawScenario(seed), histories }, { storyLines: 0 });
  const { failure, options, steps, restAfterMs, restWithinMs } = result;
  return {
    seed,
    steps,
    failure: failure === null ? null : { invariant: failure.invariant, what: failure.what },
    beyond: options.beyondBound ? { broken: result.beyond } : null,
    restAfterMs,
    restShare: restAfterMs / restWithinMs,
  };
}
