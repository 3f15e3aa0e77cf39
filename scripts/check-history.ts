// `npm run check-history -- FILE`: is there an order of all operations of a history that explains every answer? The file is
// as src/invariants/history-file.ts says. Ends with 0 when there is one, 1 when not, 2 when the file cannot be judged.
import { readFileSync } from 'node:fs';
import { decodeHistory } from '../src/invariants/history-file.ts';
import { judgeHistory, type Operation, type Verdict } from '../src/invariants/linearize.ts';
import { tellOperation } from '../src/invariants/tell.ts';

const usage = `npm run check-history -- FILE [--json]
  FILE    JSON lines: {client, operation, name, argument, result, start, end}
  --json  the last line is {"operations", "names", "linearizable"}; linearizable is null where the search was given up`;

/** Operations on the same name that are told beside those that nothing explains. */
const contextMax = 20;

function read(file: string): Operation[] | undefined {
  try {
    return decodeHistory(readFileSync(file, 'utf8'));
  } catch (error) {
    console.error((error as Error).message);
    return undefined;
  }
}

function tell({ unexplained, undecided }: Verdict): void {
  for (const name of undecided) console.log(`${name}: no verdict within the bound of the search`);
  if (unexplained === undefined) return;
  const { name, holder, stuck, operations } = unexplained;
  console.log(`${name}: held by ${holder ?? 'nobody'}, none of these can come next:`);
  for (const operation of stuck) console.log(`  ${tellOperation(operation)}`);
  const until = Math.min(...stuck.map(({ end }) => end));
  const before = operations.filter((one) => one.start <= until && !stuck.includes(one));
  console.log('before or beside them:');
  for (const operation of before.sort((a, b) => a.end - b.end).slice(-contextMax))
    console.log(`  ${tellOperation(operation)}`);
}

function main(args: readonly string[]): number {
  const file = args.find((arg) => !arg.startsWith('--'));
  if (file === undefined || args.includes('--help')) {
    console.log(usage);
    return file === undefined ? 2 : 0;
  }
  const history = read(file);
  if (history === undefined) return 2;
  const verdict = judgeHistory(history);
  tell(verdict);
  const bad = verdict.unexplained !== undefined;
  const linearizable = bad ? false : verdict.undecided.length > 0 ? null : true;
  const names = new Set(history.map(({ name }) => name)).size;
  const words = linearizable === null ? 'no verdict' : linearizable ? 'linearizable' : 'not linearizable';
  console.log(`${history.length} operations on ${names} names: ${words}`);
  if (args.includes('--json'))
    console.log(JSON.stringify({ operations: history.length, names, linearizable }));
  return linearizable === null ? 2 : linearizable ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
