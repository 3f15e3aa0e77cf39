// `npm run bench`: measures each thing beside its floor in the same run, prints a table, and with `--json FILE` writes the
// rows as JSON. `--part a,b` runs a part. Medians; the machine that ran it is named above the table. `--store ADDRESS` names a
// store that `store-cost` tries with real nodes, too.
import { writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { deathNoticed, failover, registerThreeNodes } from './cluster.ts';
import { callLocalByName } from './local-by-name.ts';
import { benchRemoteCalls } from './remote-call.ts';
import { benchStoreCost, type StoreCostRow } from './store-cost.ts';
import { benchStores, type StoresRow } from './stores.ts';
import { whereisVersusMap } from './whereis.ts';

interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly baseline: number;
  readonly baselineName: string;
  readonly ratio: number;
  readonly 'median-of': number;
  /** What `architecture.md` aims at, as a ratio to the baseline or in the unit. */
  readonly goal: string;
}

const rows: (Row | StoreCostRow | StoresRow)[] = [];

function report(row: Omit<Row, 'ratio'>): void {
  const full = { ...row, ratio: row.value / row.baseline };
  rows.push(full);
  const columns = [
    full.name.padEnd(24),
    show(full.value).padStart(12),
    full.unit.padEnd(8),
    show(full.baseline).padStart(12),
  ];
  console.log(
    `${columns.join(' ')} ${full.ratio.toFixed(2).padStart(6)}  ${full.goal.padEnd(22)} ${full.baselineName}`,
  );
}

function show(value: number): string {
  return value >= 1_000 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
}

const benchmarks: Readonly<Record<string, () => Promise<void>>> = {
  async whereis_vs_map() {
    const { value, baseline } = await whereisVersusMap();
    report({
      name: 'whereis_vs_map',
      value,
      unit: '1/s',
      baseline,
      baselineName: 'Map.get',
      'median-of': 9,
      goal: 'ratio >= 0.5',
    });
  },
  async call_local_vs_floor() {
    const { value, baseline } = await callLocalByName();
    const baselineName = 'map and promise mailbox';
    report({
      name: 'call_local_vs_floor',
      value,
      unit: 'call/s',
      baseline,
      baselineName,
      'median-of': 9,
      goal: 'ratio >= 0.4',
    });
  },
  async call_remote() {
    const remote = await benchRemoteCalls();
    const one = remote.call_remote_1_vs_floor;
    const many = remote.call_remote_64_vs_floor;
    const common = { unit: 'call/s', baselineName: 'raw TCP echo, as many in flight', 'median-of': 41 };
    report({
      name: 'call_remote_1_vs_floor',
      value: one.value,
      baseline: one.baseline,
      goal: 'ratio >= 0.8',
      ...common,
    });
    report({
      name: 'call_remote_64_vs_floor',
      value: many.value,
      baseline: many.baseline,
      goal: 'ratio >= 0.6',
      ...common,
    });
    floor64 = many.baseline;
  },
  async register_3_nodes() {
    const value = await registerThreeNodes(5, 60_000);
    const baseline = floor64 ?? (await benchRemoteCalls({ rounds: 3 })).call_remote_64_vs_floor.baseline;
    const baselineName = 'raw TCP echo, 64 in flight';
    report({
      name: 'register_3_nodes',
      value,
      unit: 'name/s',
      baseline,
      baselineName,
      'median-of': 5,
      goal: '>= 80,000 name/s',
    });
  },
  async failover() {
    const baseline = await deathNoticed(5);
    const few = await failover(1_000, 5);
    const baselineName = 'SIGKILL to end of a TCP link';
    report({
      name: 'failover_1k',
      value: few,
      unit: 'ms',
      baseline,
      baselineName,
      'median-of': 5,
      goal: '<= 100 ms',
    });
    const many = await failover(100_000, 3);
    report({
      name: 'failover_100k',
      value: many,
      unit: 'ms',
      baseline: few,
      baselineName: 'failover_1k',
      'median-of': 3,
      goal: 'ratio <= 1.5',
    });
  },
  async stores() {
    rows.push(...(await benchStores()));
  },
  async 'store-cost'() {
    rows.push(
      ...(await benchStoreCost({ largest: options.part !== undefined, stores: options.store ?? [] })),
    );
  },
};

let floor64: number | undefined;

const { values: options } = parseArgs({
  options: {
    json: { type: 'string' },
    part: { type: 'string' },
    store: { type: 'string', multiple: true },
  },
});
const wanted = options.part?.split(',') ?? Object.keys(benchmarks);
const model = cpus()[0]?.model ?? 'unknown processor';
console.log(
  `${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${model}, Linux ${release()}, Node.js ${process.version}\n`,
);
console.log(
  `${'benchmark'.padEnd(24)} ${'value'.padStart(12)} ${'unit'.padEnd(8)} ${'floor'.padStart(12)}  ratio  ${'goal'.padEnd(22)} floor is`,
);
for (const name of wanted) {
  const run = benchmarks[name];
  if (run === undefined)
    throw new Error(`no benchmark ${name}: there are ${Object.keys(benchmarks).join(', ')}`);
  await run();
}
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(rows, null, 2)}\n`);
