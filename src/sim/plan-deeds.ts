// What the clients do: register fresh and known processes under few names, unregister their own and others' names, read
// consistently and from snapshots, give up after a deadline. Processes exit now and then; links to the node without a
// member break; an operator steps in.
import type { Action, Deed } from './actions.ts';
import { createDraw, type Draw, decisionDraw } from './draw.ts';
import type { Options } from './options.ts';

/** More processes than a node ever has at once. */
const processesMax = 64;

export function planDeeds(options: Options, machines: readonly string[]): Action[] {
  const { callEveryMs, exitEveryMs } = options;
  return [
    ...planEvery(options, { stream: 5, everyMs: callEveryMs }, (draw) => drawCall(draw, options, machines)),
    ...planEvery(options, { stream: 6, everyMs: exitEveryMs }, (draw) => ({
      do: 'exit',
      node: draw.pick(machines),
      process: draw.below(processesMax),
    })),
    ...planEvery(options, { stream: 7, everyMs: 4000 }, (draw) => ({
      do: draw.pick(['forceClaim', 'unlink']),
      node: draw.pick(machines),
    })),
  ];
}

function planEvery(
  options: Options,
  every: { readonly stream: number; readonly everyMs: number },
  what: (draw: Draw) => Deed,
): Action[] {
  const { seed, faultsUntilMs } = options;
  const gaps = createDraw(seed, every.stream);
  const planned: Action[] = [];
  for (let number = 0, at = 0; ; number++) {
    at += gaps.between(1, 2 * every.everyMs);
    if (at >= faultsUntilMs) return planned;
    planned.push({ at, ...what(decisionDraw(seed, every.stream, number)) });
  }
}

function drawCall(draw: Draw, options: Options, machines: readonly string[]): Deed {
  const node = draw.pick(machines);
  const key = `x${draw.below(options.names)}`;
  const patience = draw.between(20, options.callDeadlineMs);
  const kind = draw.below(100);
  if (kind < 45) {
    const process = draw.chance(300) ? draw.below(processesMax) : -1;
    const foreign = draw.chance(options.foreignPerMille);
    const ext = draw.pick(['own', 'own', 'shared'] as const);
    return { do: 'register', node, key, patience, process, ...(foreign ? { ext } : {}) };
  }
  if (kind < 65) return { do: 'unregister', node, key, patience };
  if (kind < 90) return { do: 'read', node, key, patience };
  return { do: 'look', node, key };
}
