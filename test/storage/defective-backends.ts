// Backends with one defect each, around the memory backend: what the conformance suite has to find. Each is a mistake that
// a backend could make without anybody noticing in simple use.
import { concatBytes, rangeOfMutation } from '../../src/storage/bytes.ts';
import type {
  Backend,
  Bytes,
  Commit,
  CommitResult,
  KeyRange,
  RangeOptions,
  RangePage,
  StoreTransaction,
  WaitOptions,
} from '../../src/storage/index.ts';

export interface Defect {
  /** What the backend does wrong. */
  readonly name: string;
  /** The cases of which at least one has to fail. */
  readonly cases: RegExp;
  /** A client with the defect. `shared` is the same for all clients of one store. */
  wrap(client: Backend, shared: Shared): Backend;
}

/** What the clients of one defective store have in common. */
export interface Shared {
  readonly markers: Map<string, number>;
  /** An old snapshot that is read instead of a new one. */
  stale: Promise<StoreTransaction> | undefined;
}

type Begin = (client: Backend, options: WaitOptions) => Promise<StoreTransaction>;

function withTransaction(
  change: (tx: StoreTransaction, client: Backend, options: WaitOptions) => StoreTransaction,
) {
  return (client: Backend): Backend =>
    withBegin(client, async (inner, options) => change(await inner.begin(options), inner, options));
}

function withBegin(client: Backend, begin: Begin): Backend {
  return {
    description: client.description,
    begin: (options) => begin(client, options),
    watch: (range) => client.watch(range),
    close: () => client.close(),
  };
}

/** A transaction whose methods are those of `tx` but for the given ones. */
function changed(tx: StoreTransaction, changes: Partial<StoreTransaction>): StoreTransaction {
  return {
    get: (key) => tx.get(key),
    getRange: (range, options) => tx.getRange(range, options),
    commit: (commit) => tx.commit(commit),
    close: () => tx.close(),
    ...changes,
  };
}

function withCommit(change: (commit: Commit) => Commit): (client: Backend) => Backend {
  return withTransaction((tx) => changed(tx, { commit: (commit) => tx.commit(change(commit)) }));
}

function withRange(
  get: (tx: StoreTransaction, range: KeyRange, options: RangeOptions) => Promise<RangePage>,
) {
  return withTransaction((tx) => changed(tx, { getRange: (range, options) => get(tx, range, options) }));
}

const isOneKey = ({ begin, end }: KeyRange): boolean => end.length === begin.length + 1 && end.at(-1) === 0;
/** Without the last one of a tenant: the store itself adds some of its own. */
function withoutLast(reads: readonly KeyRange[]): readonly KeyRange[] {
  const last = reads.findLast(({ begin }) => begin[0] === 1);
  return reads.filter((range) => range !== last);
}
const noId = ({ reads, writes }: Commit): Commit => ({ reads, writes });

/** A snapshot that begins anew with each read. */
function unsteady(tx: StoreTransaction, client: Backend, options: WaitOptions): StoreTransaction {
  const again = async <T>(read: (fresh: StoreTransaction) => Promise<T>): Promise<T> => {
    const fresh = await client.begin(options);
    try {
      return await read(fresh);
    } finally {
      fresh.close();
    }
  };
  return changed(tx, {
    get: (key) => again((fresh) => fresh.get(key)),
    getRange: (range, how) => again((fresh) => fresh.getRange(range, how)),
  });
}

/** Reads from what was there up to some transactions ago, as a replica that lags would; commits are judged by now. */
function lagging(client: Backend, shared: Shared): Backend {
  let count = 0;
  return withBegin(client, async (inner, options) => {
    const tx = await inner.begin(options);
    if (shared.stale === undefined || count++ % 3 === 0) {
      shared.stale = inner.begin({ timeoutMs: 5_000 }).then(async (old) => {
        await old.get(Uint8Array.of(0));
        return old;
      });
    }
    const old = await shared.stale;
    return changed(tx, { get: (key) => old.get(key), getRange: (range, how) => old.getRange(range, how) });
  });
}

/** Markers beside the store: looked up before, written after. */
function loosely(client: Backend, { markers }: Shared): Backend {
  return withTransaction((tx) =>
    changed(tx, {
      async commit(commit) {
        const id = commit.id?.join() ?? '';
        const earlier = markers.get(id);
        if (commit.id !== undefined && earlier !== undefined) return { applied: 'earlier', attempt: earlier };
        const result = await tx.commit(noId(commit));
        markers.set(id, commit.attempt ?? 0);
        return result;
      },
    }),
  )(client);
}

/** One commit becomes two. */
async function halves(tx: StoreTransaction, client: Backend, commit: Commit): Promise<CommitResult> {
  const middle = Math.ceil(commit.writes.length / 2);
  const result = await tx.commit({ ...commit, writes: commit.writes.slice(0, middle) });
  if (result.applied === 'earlier') return result;
  await new Promise((resolve) => setImmediate(resolve));
  const rest = await client.begin({ timeoutMs: 5_000 });
  await rest.commit({ reads: [], writes: commit.writes.slice(middle) });
  return result;
}

/** An addition computed by the client, on what it read before. */
async function computed(tx: StoreTransaction, commit: Commit): Promise<CommitResult> {
  const writes = [];
  for (const write of commit.writes) {
    if (write.type !== 'add') writes.push(write);
    else {
      const old = (await tx.get(write.key)) ?? new Uint8Array(8);
      const view = (bytes: Bytes) => new DataView(bytes.buffer, bytes.byteOffset, 8);
      const value = new Uint8Array(8);
      view(value).setBigUint64(
        0,
        view(old).getBigUint64(0, true) + view(write.value).getBigUint64(0, true),
        true,
      );
      writes.push({ type: 'set', key: write.key, value } as const);
    }
  }
  return tx.commit({ ...commit, writes });
}

export const defects: readonly Defect[] = [
  {
    name: 'drops the last read range from the conflict set',
    cases: /history: .*cycle|64 reads/,
    wrap: withCommit((commit) => ({ ...commit, reads: withoutLast(commit.reads) })),
  },
  {
    name: 'checks keys for conflicts, but no ranges',
    cases: /history: .*cycle|range reader|page conflicts/,
    wrap: withCommit((commit) => ({ ...commit, reads: commit.reads.filter(isOneKey) })),
  },
  {
    name: 'checks no conflicts at all',
    cases: /lost update/,
    wrap: withCommit((commit) => ({ ...commit, reads: [] })),
  },
  {
    name: 'conflicts only with what it writes itself',
    cases: /write skew/,
    wrap: withCommit((commit) => {
      const written = commit.writes.map(rangeOfMutation).map(({ begin }) => begin.join());
      return { ...commit, reads: commit.reads.filter(({ begin }) => written.includes(begin.join())) };
    }),
  },
  {
    name: 'has no fixed snapshot',
    cases: /one snapshot|history: .*cycle|money/,
    wrap: withTransaction(unsteady),
  },
  { name: 'reads from a replica that lags', cases: /shows every acknowledged commit|history/, wrap: lagging },
  { name: 'ignores the marker', cases: /outcome: /, wrap: withCommit(noId) },
  { name: 'keeps its markers beside the transaction', cases: /two attempts of one id/, wrap: loosely },
  {
    name: 'tells the attempt that asks instead of the one that won',
    cases: /answers with the attempt that won/,
    wrap: withTransaction((tx) =>
      changed(tx, {
        async commit(commit) {
          const result = await tx.commit(commit);
          return result.applied === 'now' ? result : { ...result, attempt: commit.attempt ?? 0 };
        },
      }),
    ),
  },
  {
    name: 'looks for conflicts before the marker',
    cases: /marker is found before/,
    wrap: withTransaction((tx, client, options) =>
      changed(tx, {
        async commit(commit) {
          const probe = await client.begin(options);
          await probe.get(Uint8Array.of(1));
          probe.close();
          await tx.commit({ reads: commit.reads, writes: [] });
          const again = await client.begin(options);
          return again.commit({ ...commit, reads: [] });
        },
      }),
    ),
  },
  {
    name: 'leaves no marker for a commit without writes',
    cases: /without writes leaves a marker/,
    wrap: withCommit((commit) => (commit.writes.length === 0 ? noId(commit) : commit)),
  },
  {
    name: 'applies one commit in two halves',
    cases: /money|history/,
    wrap: withTransaction((tx, client) => changed(tx, { commit: (commit) => halves(tx, client, commit) })),
  },
  {
    name: 'computes additions by itself',
    cases: /additions/,
    wrap: withTransaction((tx) => changed(tx, { commit: (commit) => computed(tx, commit) })),
  },
  {
    name: 'applies writes in another order',
    cases: /in their order/,
    wrap: withCommit((commit) => ({ ...commit, writes: [...commit.writes].reverse() })),
  },
  {
    name: 'never says that there is more',
    cases: /whether there are more|page by page/,
    wrap: withRange(async (tx, range, options) => ({ ...(await tx.getRange(range, options)), more: false })),
  },
  {
    name: 'reads ranges upwards only',
    cases: /unsigned bytes|downwards/,
    wrap: withRange((tx, range, { limit }) => tx.getRange(range, { limit })),
  },
  {
    name: 'includes the end of a range',
    cases: /half open/,
    wrap: withRange((tx, { begin, end }, options) =>
      tx.getRange({ begin, end: concatBytes(end, Uint8Array.of(0)) }, options),
    ),
  },
  {
    name: 'takes an empty value for a missing one',
    cases: /empty value/,
    wrap: withTransaction((tx) =>
      changed(tx, {
        get: async (key) => {
          const value = await tx.get(key);
          return value?.length === 0 ? undefined : value;
        },
      }),
    ),
  },
  {
    name: 'commits after its deadline',
    cases: /after its deadline|an abort ends/,
    wrap: (client) => withBegin(client, (inner) => inner.begin({ timeoutMs: 5_000 })),
  },
  {
    name: 'hears only of its own commits',
    cases: /watch: fires for a commit of another/,
    wrap: (client) => {
      const own = new Set<() => void>();
      const told = withTransaction((tx) =>
        changed(tx, {
          commit: (commit) => {
            const result = tx.commit(commit);
            for (const fire of own) fire();
            return result;
          },
        }),
      )(client);
      return {
        ...told,
        watch: () => {
          let fire: () => void = () => undefined;
          const changed = new Promise<void>((resolve) => {
            fire = resolve;
          });
          own.add(fire);
          return { changed, cancel: fire };
        },
      };
    },
  },
  {
    name: 'watches the first key of a range',
    cases: /watch: a range fires/,
    wrap: (client) => ({
      ...withBegin(client, (inner, options) => inner.begin(options)),
      watch: ({ begin }) => client.watch({ begin, end: concatBytes(begin, Uint8Array.of(0)) }),
    }),
  },
  {
    name: 'fires every watch for every commit',
    cases: /silent while other keys change/,
    wrap: (client) => ({
      ...withBegin(client, (inner, options) => inner.begin(options)),
      watch: () => client.watch({ begin: Uint8Array.of(0), end: new Uint8Array(1025).fill(255) }),
    }),
  },
  {
    name: 'begins to watch a little later',
    cases: /right after it, twenty times/,
    wrap: (client) => ({
      ...withBegin(client, (inner, options) => inner.begin(options)),
      watch: (range) => {
        let cancel: () => void = () => undefined;
        const changed = new Promise<void>((resolve) => {
          cancel = resolve;
          setImmediate(() => void client.watch(range).changed.then(resolve));
        });
        return { changed, cancel };
      },
    }),
  },
  {
    name: 'leaves watches open when it is closed',
    cases: /closing the backend ends/,
    wrap: (client) => ({
      ...withBegin(client, (inner, options) => inner.begin(options)),
      watch: () => ({ changed: new Promise(() => undefined), cancel: () => undefined }),
    }),
  },
];
