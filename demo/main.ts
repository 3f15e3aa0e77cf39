// `npm run demo`: a cluster of processes, put through what clusters go through. docs/DEMO.md explains what it prints.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Checker, type Findings } from './checker.ts';
import { Cluster, type ClusterPlan } from './cluster.ts';
import { type DemoOptions, help, parseOptions } from './options.ts';
import { count, duration, Printer } from './report.ts';
import { Scenario } from './scenario.ts';
import { StoreProbe } from './store-probe.ts';
import { printFaults, printSummary, type Summary, type SummaryParts, summarize } from './summary.ts';
import { WitnessReader } from './witness.ts';

const leaseMs = 1_000;
const sessionMs = 3_000;
/** Of all nodes together: what two busy cores can do beside everything else. */
const callsPerSecond = 4_000;
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
  const address = options.store ?? `sqlite:${join(directory, 'store.db')}`;
  const store = await StoreProbe.open(address);
  const witness = join(directory, 'witness');
  const names = namesOf(options.names);
  const tenant = `demo-${process.pid}-${Date.now()}`;
  const signal = stopSignal();
  const tourMs = Math.max(1_000, (1_000 * options.nodes * names.length) / callsPerSecond);
  const plan = { store: address, tenant, witness, names, tourMs, leaseMs, sessionMs };
  const cluster = new Cluster(plan, signal);
  const killAll = (): void => cluster.killAll();
  process.once('exit', killAll);
  try {
    const { nodes } = options;
    printHead(nodes, plan);
    const scenario = new Scenario(cluster, printer, { nodes, names, sessionMs, witness, store, signal });
    await scenario.play();
    const findings = checkWitness(witness);
    const seconds = performance.now() / 1_000;
    return conclude({ cluster, scenario, findings, nodes, names: names.length, seconds });
  } finally {
    await cluster.dispose();
    await store.clean(tenant);
    await store.close();
    process.off('exit', killAll);
  }
}

function namesOf(names: number): string[] {
  return Array.from({ length: names }, (_, index) => `room-${String(index + 1).padStart(5, '0')}`);
}

function printHead(nodes: number, { store, names, tourMs }: ClusterPlan): void {
  const kind = store.replace(/:.*$/s, '');
  printer.line(`DGen demo: ${nodes} nodes, ${count(names.length)} named servers, one ${kind} store`);
  printer.line(`Leases last ${count(leaseMs)} ms, sessions ${count(sessionMs)} ms.`);
  printer.line(`Every node calls every name about once in ${duration(tourMs * 1_000)}, the whole time.`);
}

function conclude(parts: SummaryParts): Summary {
  const summary = summarize(parts);
  printSummary(printer, summary);
  printFaults(printer, parts);
  return summary;
}

function checkWitness(path: string): Findings {
  const checker = new Checker();
  const reader = new WitnessReader(path);
  try {
    reader.read((record) => checker.take(record));
  } finally {
    reader.close();
  }
  return checker.finish();
}

/** Aborted by Ctrl-C, by a request to end, and when the demo takes too long. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => controller.abort(new Interrupted('interrupted')));
  }
  const late = (): void => controller.abort(new Error(`not done after ${demoTimeoutMs / 1_000} s`));
  setTimeout(late, demoTimeoutMs).unref();
  return controller.signal;
}

class Interrupted extends Error {}

function explain(thrown: unknown): number {
  // A pause that was cut short says so, and keeps why as its cause.
  const error = thrown instanceof Error && thrown.name === 'AbortError' ? thrown.cause : thrown;
  process.stderr.write(`\ndemo: ${error instanceof Error ? error.message : String(error)}\n`);
  return error instanceof Interrupted ? 130 : 1;
}

process.exitCode = await main(process.argv.slice(2)).catch(explain);
