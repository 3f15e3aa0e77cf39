// Enumerates configurations: `npm run explore`. Each runs in a process of its own, two at a time; the last line with
// --json is {"states", "depth", "violations", "unreachedTransitions"}.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { transitions } from './coverage.ts';
import { heal } from './heal.ts';
import type { Scope } from './scope.ts';
import { scopes } from './scopes.ts';
import { type Found, Search } from './search.ts';
import { tellPath, tellStory } from './story.ts';

const usage = `npm run explore -- [--deep] [--config NAME[,NAME]] [--list] [--json] [--workers N] [--stop-at-first] [--quiet] [--markdown]
  --deep           all configurations; without it those of the small scope
  --config NAMES   these alone; transitions that they do not take are no failure
  --list           what there is, and runs nothing
  --json           the last line is {"states", "depth", "violations", "unreachedTransitions"}
  --workers N      how many run at once (default 2)
  --stop-at-first  ends a configuration at its first violation
  --quiet          no stories
  --markdown       rows as docs/EXPLORER.md has them`;

interface Arguments {
  readonly deep: boolean;
  readonly chosen: readonly string[];
  readonly json: boolean;
  readonly workers: number;
  readonly stopAtFirst: boolean;
  readonly quiet: boolean;
  readonly markdown: boolean;
}

interface Told extends Omit<Found, 'violations'> {
  readonly seconds: number;
  readonly megabytes: number;
  readonly violations: readonly {
    readonly invariant: string;
    readonly what: string;
    readonly story: string;
  }[];
}

function parse(args: readonly string[]): Arguments {
  const after = (flag: string): string | undefined => args[args.indexOf(flag) + 1];
  return {
    deep: args.includes('--deep'),
    chosen: args.includes('--config') ? (after('--config') ?? '').split(',') : [],
    json: args.includes('--json'),
    workers: args.includes('--workers') ? Math.max(1, Number(after('--workers'))) : 2,
    stopAtFirst: args.includes('--stop-at-first'),
    quiet: args.includes('--quiet'),
    markdown: args.includes('--markdown'),
  };
}

/** In a process of its own: the result is its last line. */
function runOne(scope: Scope, stopAtFirst: boolean): void {
  const started = performance.now();
  const found = new Search(scope, { stopAtFirst, heal }).run();
  const told: Told = {
    ...found,
    seconds: (performance.now() - started) / 1000,
    megabytes: Math.round(process.memoryUsage().rss / 1e6),
    violations: found.violations.map(({ broken, path }) => ({
      ...broken,
      story: `${tellStory(scope, path)}\npath: ${tellPath(path)}`,
    })),
  };
  console.log(JSON.stringify(told));
}

function runChild(scope: Scope, args: Arguments): Promise<Told> {
  const flags = ['--child', scope.name, ...(args.stopAtFirst ? ['--stop-at-first'] : [])];
  const child = spawn(
    process.execPath,
    [...process.execArgv, '--max-old-space-size=8000', fileURLToPath(import.meta.url), ...flags],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      const last = output.trimEnd().split('\n').at(-1) ?? '';
      if (code === 0) resolve(JSON.parse(last) as Told);
      else reject(new Error(`${scope.name} ended with ${code}`));
    });
  });
}

const widths = [-24, 7, 5, -44, 10, 11, 5, -9, 7, 8] as const;
const heads = [
  'configuration',
  'members',
  'names',
  'faults',
  'states',
  'transitions',
  'depth',
  'end',
  's',
  'states/s',
];

function tellCells(cells: readonly string[], markdown: boolean): string {
  if (markdown) return `| ${cells.join(' | ')} |`;
  const padded = cells.map((cell, at) => {
    const width = widths[at] ?? 0;
    return width < 0 ? cell.padEnd(-width) : cell.padStart(width);
  });
  return padded.join('  ').trimEnd();
}

function cellsOf(scope: Scope, told: Told): string[] {
  return [
    told.scope,
    String(scope.nodes.length),
    String(new Set(scope.ops.flatMap((op) => op.name ?? [])).size),
    tellFaults(scope),
    String(told.states),
    String(told.transitions),
    String(told.depth),
    told.exhausted ? 'exhausted' : 'cut',
    told.seconds.toFixed(1),
    String(Math.round(told.states / told.seconds)),
  ];
}

function tellFaults(scope: Scope): string {
  const all = Object.entries(scope.faults).filter(([, { times }]) => times > 0);
  return all.map(([fault, { times }]) => (times === 1 ? fault : `${fault} ×${times}`)).join(', ') || 'none';
}

/** Of the violations those that are none where the configuration takes a safeguard away. */
function judge(scope: Scope, told: Told): string[] {
  const meant = new Set<string>(scope.breaks ?? []);
  const bad = told.violations.filter((one) => !meant.has(one.invariant));
  const lines = bad.map((one) => `${scope.name}: ${one.invariant}: ${one.what}`);
  if (meant.size > 0 && bad.length === told.violations.length)
    lines.push(`${scope.name}: none of ${[...meant].join(', ')} broke, though a safeguard is missing`);
  return lines;
}

async function main(args: Arguments): Promise<number> {
  const chosen = scopes.filter(({ name, tier }) =>
    args.chosen.length > 0 ? args.chosen.includes(name) : args.deep || tier === 'ci',
  );
  const waiting = [...chosen];
  const all: Told[] = [];
  const violations: string[] = [];
  const work = async (): Promise<void> => {
    for (let scope = waiting.shift(); scope !== undefined; scope = waiting.shift()) {
      const told = await runChild(scope, args);
      all.push(told);
      const broken = judge(scope, told);
      violations.push(...broken);
      console.log(tellCells(cellsOf(scope, told), args.markdown));
      for (const one of told.violations) {
        if (args.quiet || !broken.some((line) => line.startsWith(`${scope?.name}: ${one.invariant}:`)))
          continue;
        console.log(`${scope.name} BROKE ${one.invariant}: ${one.what}\n${one.story}`);
        console.log(`repeat: npm run explore -- --config ${scope.name} --stop-at-first`);
      }
    }
  };
  console.log(tellCells(heads, args.markdown));
  if (args.markdown) console.log(`|${' --- |'.repeat(heads.length)}`);
  await Promise.all(Array.from({ length: args.workers }, work));
  return close(args, { all, violations });
}

function close(
  args: Arguments,
  { all, violations }: { all: readonly Told[]; violations: readonly string[] },
): number {
  const taken = new Set(all.flatMap((told) => told.taken));
  const unreached = args.chosen.length > 0 ? [] : transitions.filter((one) => !taken.has(one));
  const states = all.reduce((sum, told) => sum + told.states, 0);
  const depth = Math.max(0, ...all.map((told) => told.depth));
  for (const one of violations) console.log(`violation: ${one}`);
  for (const one of unreached) console.log(`never taken: ${one}`);
  for (const one of taken) if (!transitions.includes(one)) console.log(`taken, but in no table: ${one}`);
  console.log(
    `${states} states, depth ${depth}, ${transitions.filter((one) => taken.has(one)).length} of ${transitions.length} transitions taken, ${violations.length} violations`,
  );
  if (args.json) console.log(JSON.stringify({ states, depth, violations, unreachedTransitions: unreached }));
  return violations.length + unreached.length === 0 && all.length > 0 ? 0 : 1;
}

const args = process.argv.slice(2);
if (args[0] === '--child') {
  const scope = scopes.find(({ name }) => name === args[1]);
  if (scope === undefined) throw new Error(`no configuration ${args[1]}`);
  runOne(scope, args.includes('--stop-at-first'));
} else if (args.includes('--help')) console.log(usage);
else if (args.includes('--list'))
  for (const { name, tier, about } of scopes) console.log(`${name.padEnd(24)} ${tier.padEnd(5)} ${about}`);
else process.exitCode = await main(parse(args));
