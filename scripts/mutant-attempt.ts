// One attempt to find one defect, in a process of its own: `node --import ./scripts/mutant-hook.ts
// scripts/mutant-attempt.ts <finder as JSON>`. The last line says what came of it.
import { run } from 'node:test';
import type { Finder } from '../src/sim/defects.ts';

export interface Verdict {
  /** `broken`: the finder itself could not do its work: a module did not load, code threw what no check throws, no test ran. */
  readonly kind: 'found' | 'passed' | 'broken';
  readonly by: string;
}

const ofTheLanguage = ['SyntaxError', 'ReferenceError', 'TypeError'];

async function trySeeds({ first, seeds }: { first: number; seeds: number }): Promise<Verdict> {
  const simulator = await import('../src/sim/run.ts');
  for (let seed = first; seed < first + seeds; seed++) {
    const { failure } = simulator.run(seed);
    if (failure === null) continue;
    const kind = failure.invariant === 'crash' ? 'broken' : 'found';
    const what = kind === 'found' ? failure.invariant : failure.what.split('\n').slice(0, 3).join(' ');
    return { kind, by: `seed ${seed}: ${what}` };
  }
  return { kind: 'passed', by: `seeds ${first} to ${first + seeds - 1}` };
}

async function tryExplorer({ explore }: { explore: string }): Promise<Verdict> {
  const { Search } = await import('../src/explore/search.ts');
  const { scopes } = await import('../src/explore/scopes.ts');
  const { heal } = await import('../src/explore/heal.ts');
  const scope = scopes.find(({ name }) => name === explore);
  if (scope === undefined) return { kind: 'broken', by: `no configuration ${explore}` };
  const [first] = new Search(scope, { stopAtFirst: true, heal }).run().violations;
  if (first === undefined) return { kind: 'passed', by: `explorer: ${explore}` };
  return { kind: 'found', by: `explorer: ${explore}: ${first.broken.invariant}` };
}

interface Tally {
  passed: number;
  readonly failed: string[];
  readonly broken: string[];
}

async function tryTest({ test, name }: { test: string; name: string }): Promise<Verdict> {
  const tally: Tally = { passed: 0, failed: [], broken: [] };
  const only =
    name === '' ? {} : { testNamePatterns: [new RegExp(name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))] };
  const stream = run({
    files: test.split(' ').map((file) => `test/${file}.test.ts`),
    isolation: 'none',
    ...only,
  });
  stream.on('test:pass', ({ details, skip }) => {
    if (details.type !== 'suite' && skip === undefined) tally.passed++;
  });
  stream.on('test:fail', ({ name: failed, details }) => {
    if (details.type === 'suite') return;
    const cause = details.error.cause as { name?: string; message?: string } | undefined;
    const isBroken = cause === undefined || ofTheLanguage.includes(String(cause.name));
    if (isBroken) tally.broken.push(`${failed}: ${cause?.message ?? details.error.message}`);
    else tally.failed.push(failed);
  });
  await new Promise((resolve) => stream.on('test:summary', resolve));
  return verdictOf(tally, `${test}: ${name}`);
}

function verdictOf({ passed, failed, broken }: Tally, what: string): Verdict {
  const file = what.split(':')[0];
  if (failed.length > 0) return { kind: 'found', by: `${file}: ${failed.join(' | ')}` };
  if (broken.length > 0) return { kind: 'broken', by: `${file}: ${broken.join(' | ')}` };
  return passed === 0 ? { kind: 'broken', by: `${what}: no such test` } : { kind: 'passed', by: what };
}

function tryFinder(finder: Finder): Promise<Verdict> {
  if ('test' in finder) return tryTest(finder);
  return 'explore' in finder ? tryExplorer(finder) : trySeeds(finder);
}

async function main(finder: Finder): Promise<void> {
  const verdict = await tryFinder(finder);
  process.exitCode = 0;
  console.log(`\n${JSON.stringify(verdict)}`);
}

main(JSON.parse(process.argv[2] ?? 'null') as Finder).catch((error: unknown) => {
  console.log(`\n${JSON.stringify({ kind: 'broken', by: String(error) } satisfies Verdict)}`);
});
