// The cases that every backend has to pass, for any test framework:
//
//   for (const { name, run, skip } of conformance({ create })) {
//     test(name, { skip }, run);
//   }
//
// Each case has a store of its own. What they check is written in `port.ts`; what a target may provide, in `target.ts`.
import { nodeHost } from '../../host/node-host.ts';
import type { StoreHost } from '../store.ts';
import { basicCases } from './basic.ts';
import { historyCases } from './histories.ts';
import { isolationCases } from './isolation.ts';
import { lifetimeCases } from './lifetime.ts';
import { movedCases } from './moved.ts';
import { outageCases } from './outages.ts';
import { outcomeCases } from './outcome.ts';
import { type ConformanceCase, openBench } from './support.ts';
import { type ConformanceNeed, type ConformanceTarget, provides } from './target.ts';
import { watchCases } from './watch.ts';
import { watchOutageCases } from './watch-outages.ts';
import { wireCases } from './wire.ts';

export type {
  ConformanceLink,
  ConformanceNeed,
  ConformanceTarget,
  DelayedRequest,
  FaultPoint,
  LinkFault,
} from './target.ts';

export interface ConformanceOptions {
  /** Clock, timers and randomness; default: those of Node.js. */
  readonly host?: StoreHost;
  /** Makes a new, empty store for each case. */
  create(): Promise<ConformanceTarget>;
  /**
   * What the targets do not provide, each with the reason: cases that need it are skipped with it. A target that neither
   * provides a thing nor says here why fails the cases that need it; so does one that does both. Default: nothing.
   */
  readonly lacks?: Readonly<Partial<Record<ConformanceNeed, string>>>;
  /** Names of cases that the backend declines, each with the reason. */
  readonly skip?: Readonly<Record<string, string>>;
}

export interface ConformanceTest {
  readonly name: string;
  /** Why it is not to be run; undefined for the others. */
  readonly skip: string | undefined;
  /** Rejects when the backend does not conform. Takes well below 60 seconds. */
  run(): Promise<void>;
}

const cases: readonly ConformanceCase[] = [
  ...basicCases,
  ...lifetimeCases,
  ...isolationCases,
  ...historyCases,
  ...outcomeCases,
  ...wireCases,
  ...watchCases,
  ...watchOutageCases,
  ...outageCases,
  ...movedCases,
];

/** All cases for one backend. Throws for a `skip` that names no case, and for a reason that says nothing. */
export function conformance(options: ConformanceOptions): readonly ConformanceTest[] {
  const { lacks = {}, skip = {} } = options;
  const stale = Object.keys(skip).filter((name) => !cases.some((one) => one.name === name));
  if (stale.length > 0) throw new Error(`no such case: ${stale.join(', ')}`);
  if ([...Object.values(lacks), ...Object.values(skip)].includes('')) throw new Error('a reason is empty');
  return cases.map((one) => ({
    name: one.name,
    skip: skip[one.name] ?? reasonOf(one, lacks),
    run: () => runCase(one, options),
  }));
}

function reasonOf({ needs = [] }: ConformanceCase, lacks: Lacks): string | undefined {
  const lacking = needs.find((need) => lacks[need] !== undefined);
  return lacking === undefined ? undefined : `needs ${lacking}: ${lacks[lacking]}`;
}

async function runCase(one: ConformanceCase, options: ConformanceOptions): Promise<void> {
  const { host = nodeHost(), create, lacks = {} } = options;
  const target = await create();
  try {
    checkProvided(target, one.needs ?? [], lacks);
    await one.run(await openBench(target, host));
  } finally {
    await target.dispose();
  }
}

function checkProvided(target: ConformanceTarget, needs: readonly ConformanceNeed[], lacks: Lacks): void {
  for (const need of needs) {
    if (!provides(target, need))
      throw new Error(`no ${need}: the target provides it, or \`lacks\` says why not`);
  }
  for (const lacking of Object.keys(lacks) as ConformanceNeed[]) {
    if (provides(target, lacking)) throw new Error(`\`lacks\` names ${lacking}, but the target provides it`);
  }
}

type Lacks = NonNullable<ConformanceOptions['lacks']>;
