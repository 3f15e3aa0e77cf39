// The cases that every backend has to pass, for any test framework:
//
//   for (const { name, run, skip } of conformance({ create })) {
//     test(name, { skip }, run);
//   }
//
// Each case has a store of its own. What they check is written in `port.ts`.
import { nodeHost } from '../../host/node-host.ts';
import type { StoreHost } from '../store.ts';
import { basicCases } from './basic.ts';
import { isolationCases } from './isolation.ts';
import { lifetimeCases } from './lifetime.ts';
import { outcomeCases } from './outcome.ts';
import { type ConformanceTarget, openBench } from './support.ts';
import { watchCases } from './watch.ts';

export type { ConformanceTarget } from './support.ts';

export interface ConformanceOptions {
  /** Clock, timers and randomness; default: those of Node.js. */
  readonly host?: StoreHost;
  /** Makes a new, empty store for each case. */
  create(): Promise<ConformanceTarget>;
  /** Names of cases that the backend declines, each with the reason. */
  readonly skip?: Readonly<Record<string, string>>;
}

export interface ConformanceTest {
  readonly name: string;
  /** Why it is not to be run; undefined for the others. */
  readonly skip: string | undefined;
  /** Rejects when the backend does not conform. Takes well below 20 seconds. */
  run(): Promise<void>;
}

/** All cases for one backend. Throws for a `skip` that names no case. */
export function conformance(options: ConformanceOptions): readonly ConformanceTest[] {
  const cases = [...basicCases, ...lifetimeCases, ...isolationCases, ...outcomeCases, ...watchCases];
  const { host = nodeHost(), create, skip = {} } = options;
  const stale = Object.keys(skip).filter((name) => !cases.some((one) => one.name === name));
  if (stale.length > 0) throw new Error(`no such case: ${stale.join(', ')}`);
  return cases.map(({ name, run }) => ({
    name,
    skip: skip[name],
    run: async () => {
      const target = await create();
      try {
        await run(await openBench(target, host));
      } finally {
        await target.dispose();
      }
    },
  }));
}
