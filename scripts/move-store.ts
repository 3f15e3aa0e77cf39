// `npm run move-store -- --from ADDRESS --to ADDRESS`: moves everything from one store into another, empty one, under
// running nodes that were started with both; `--abort` takes back a move that is not complete. docs/STORES.md tells the whole
// procedure. Where the package is installed without its scripts, `moveStore` and `abortMove` do the same.
import { parseArgs } from 'node:util';
import { abortMove, moveStore } from '../src/index.ts';

const help = `npm run move-store -- --from ADDRESS --to ADDRESS [options]

  --timeout SECONDS  for everything (default 60); after it, run the same command again
  --abort            take back a move that is not complete: the old store is in use again
  --target-is-lost   with --abort: the target can never be used again, so it need not be told. Be sure of it
  --help             this text

Addresses: sqlite:PATH, etcd://HOST:PORT, postgres://USER:PASSWORD@HOST/DATABASE. Exit code 0 when it is done.
`;

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      timeout: { type: 'string', default: '60' },
      abort: { type: 'boolean', default: false },
      'target-is-lost': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const { from, to, abort, 'target-is-lost': targetIsLost } = values;
  if (values.help || from === undefined || to === undefined) {
    process.stdout.write(help);
    return values.help ? 0 : 2;
  }
  const options = { timeoutMs: Number(values.timeout) * 1_000, signal: signalOfThisProcess() };
  if (abort) {
    const taken = await abortMove(from, to, { ...options, targetIsLost });
    process.stdout.write(
      taken ? 'taken back: the old store is in use\n' : 'there was nothing to take back\n',
    );
    return 0;
  }
  const { moved, keys, bytes, move } = await moveStore(from, to, options);
  const what = moved === 'now' ? `moved ${keys} keys, ${bytes} bytes` : 'had been moved before';
  process.stdout.write(`${what} (move ${move}): start nodes with the new store alone from now on\n`);
  return 0;
}

/** Ctrl-C leaves a move that can be taken up again. */
function signalOfThisProcess(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
