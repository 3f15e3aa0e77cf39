// What the demo can be told.
import { parseArgs } from 'node:util';

export interface DemoOptions {
  /** Undefined: a fresh SQLite file. */
  readonly store: string | undefined;
  readonly nodes: number;
  readonly names: number;
  readonly json: boolean;
  readonly help: boolean;
}

export const help = `npm run demo -- [options]

Starts a cluster of processes on one store, gives a thousand servers a name, calls all of them from everywhere, and
meanwhile kills the leader, freezes a node, and restarts nodes. Takes about 20 seconds, longer with more names; see docs/DEMO.md.

  --nodes N        processes, 3 to 8 (default 4)
  --names N        named servers, 10 to 5000 (default 1000)
  --store ADDRESS  the store (default: a fresh SQLite file in a temporary directory), for example
                   sqlite:/var/tmp/demo.db, etcd://127.0.0.1:2379, postgres://me:secret@127.0.0.1/mine
  --json           ends with the summary as one line of JSON
  --help           this text

Exit code 0 when every guarantee held, 1 when one did not or the demo could not run, 130 after Ctrl-C.
`;

/** Throws an error with a message for people. */
export function parseOptions(args: readonly string[]): DemoOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      store: { type: 'string' },
      nodes: { type: 'string', default: '4' },
      names: { type: 'string', default: '1000' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    store: values.store,
    nodes: integer('--nodes', values.nodes, [3, 8]),
    names: integer('--names', values.names, [10, 5_000]),
    json: values.json,
    help: values.help,
  };
}

function integer(option: string, text: string, [min, max]: readonly [number, number]): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new Error(`${option} takes a whole number from ${min} to ${max}, not "${text}"`);
}
