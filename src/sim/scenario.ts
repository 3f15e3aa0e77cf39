// A run as data: its options, what is done to it, and which messages are lost where the weather does not decide that. A
// seed draws one; who shrinks a failing run makes smaller ones; any of them can be written down and run again.
import type { Action } from './actions.ts';
import { drawOptions, type Options } from './options.ts';
import { planRun } from './plan.ts';

export interface Scenario {
  readonly options: Options;
  readonly actions: readonly Action[];
  /** Exactly these messages are lost, as `A>B:17`: the one numbered 17 from A to B. Undefined: as the weather has it. */
  readonly losses?: readonly string[] | undefined;
  /** At the end the order of all answers is judged, too (I6), unless clocks left the bound. */
  readonly histories?: boolean;
}

export function drawScenario(seed: number, override: Partial<Options> = {}): Scenario {
  const options: Options = { ...drawOptions(seed), ...override };
  return { options, actions: planRun(options) };
}

/** One line. */
export function encodeScenario(scenario: Scenario): string {
  return JSON.stringify(scenario);
}

/** Throws where it is none. */
export function decodeScenario(text: string): Scenario {
  const scenario = JSON.parse(text) as Scenario;
  if (typeof scenario.options?.seed !== 'number' || !Array.isArray(scenario.actions))
    throw new Error('expected a scenario: {"options": {"seed": ...}, "actions": [...]}');
  return scenario;
}
