// `npm run demo`: a cluster of processes, put through what clusters go through. docs/DEMO.md explains what it prints.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DGenError, nodeHost, storeAt } from '../src/index.ts';
import { Checker } from './checker.ts';
import { Cluster } from './cluster.ts';
import { type DemoOptions, help, parseOptions } from './options.ts';
import { count, Printer } from './report.ts';
import { Scenario } from './scenario.ts';
import { printFaults, printSummary, type Summary, type SummaryParts, summarize } from './summary.ts';
import { WitnessReader } from './witness.ts';

const leaseMs = 1_000;
const sessionMs = 3_000;
/** Whatever hangs, the demo does not. */
const demoTimeoutMs = 90_000;

const printer = new Printer(
  (text) => process.stdout.write(text),
  process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
);

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  const directory = mkdtempSync(join(tmpdir(), 'dgen-demo-'));
  const removeDirectory = (): void => rmSync(directory, { recursive: true, force: true });
  process.once('exit', removeDirectory);
  try {
    const summary = await run(options, directory);
    if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
    return summary.guaranteesHeld ? 0 : 1;
  } finally {
    removeDirectory();
    process.off('exit', removeDirectory);
  }
}

async function run(options: DemoOptions, directory: string): Promise<Summary> {
  const store = options.store ?? `sqlite:${join(directory, 'store.db')}`;
  await checkStore(store);
  const witness = join(directory, 'witness');
  const names = Array.from(
    { length: options.names },
    (_, index) => `room-${String(index + 1).padStart(5, '0')}`,
  );
  const tenant = `demo-${process.pid}-${Date.now()}`;
  const stop = stopSignal();
  const cluster = new Cluster({ store, tenant, witness, names, leaseMs, sessionMs }, stop);
  const killAll = (): void => cluster.killAll();
  process.once('exit', killAll);
  printer.line(
    `DGen demo: ${options.nodes} nodes, ${count(names.length)} named servers, store ${kindOf(store)}`,
  );
  printer.line(
    `Leases last ${count(leaseMs)} ms, sessions ${count(sessionMs)} ms. Every node calls every name about once a second, all the time.`,
  );
  try {
    const scenario = new Scenario(cluster, printer, witness, {
      nodes: options.nodes,
      names,
      sessionMs,
      signal: stop,
    });
    await scenario.play();
    await leaveAll(cluster);
    const parts = {
      cluster,
      scenario,
      findings: checkWitness(witness),
      nodes: options.nodes,
      names: names.length,
      seconds: performance.now() / 1_000,
    };
    return conclude(parts);
  } finally {
    await cluster.dispose();
    process.off('exit', killAll);
  }
}

function conclude(parts: SummaryParts): Summary {
  const summary = summarize(parts);
  printSummary(printer, summary);
  printFaults(printer, parts);
  return summary;
}

async function leaveAll(cluster: Cluster): Promise<void> {
  for (const worker of cluster.running) worker.send({ type: 'callAll', run: false });
  // One after the other: the last has nobody to hand anything to.
  for (const worker of cluster.running) await cluster.leave(worker);
}

function checkWitness(path: string) {
  const checker = new Checker();
  const reader = new WitnessReader(path);
  try {
    reader.read((record) => checker.take(record));
  } finally {
    reader.close();
  }
  return checker.finish();
}

/** Rejects with what `storeAt` says of an address, and with `bad_option` for a store that processes cannot share. */
async function checkStore(address: string): Promise<void> {
  if (address.startsWith('memory:')) {
    throw new DGenError('bad_option', 'store address', {
      expected: 'a store that processes can share',
      got: address,
    });
  }
  await (await storeAt(address, nodeHost())).close();
}

const kindOf = (address: string): string => address.replace(/:.*$/s, '');

/** Aborted by Ctrl-C, by a request to end, and when the demo takes too long. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => controller.abort(new Interrupted(name)));
  }
  return AbortSignal.any([controller.signal, AbortSignal.timeout(demoTimeoutMs)]);
}

class Interrupted extends Error {}

function explain(error: unknown): number {
  const interrupted = [error, (error as { cause?: unknown }).cause].some((one) => one instanceof Interrupted);
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`\ndemo: ${interrupted ? 'interrupted' : text}\n`);
  return interrupted ? 130 : 1;
}

process.exitCode = await main(process.argv.slice(2)).catch(explain);
