// Deleting a registry: its keys go from the store, in one transaction that rests on all of them. What stands there is the
// only thing that keeps two leaders apart, so it goes only when nobody is left who could rest on it: everybody recorded
// has left, or is proven dead by the rules of docs/PROTOCOL.md, "Proven dead". The name of the registry is free then, and
// everything about it begins anew, epochs and tokens included.
import { DGenError } from '../errors/error.ts';
import { type KeySpace, keyAfter, keyOf, partsOf, prefixRange } from '../storage/index.ts';
import { Lifetime } from '../storage/lifetime.ts';
import type { Transaction } from '../storage/recording.ts';
import { transact } from '../storage/transact.ts';
import { decodeInfo, decodeRecord, type MemberInfo } from './coordination.ts';
import { hasReplaced } from './elector.ts';
import type { RegistryNode } from './host-node.ts';
import type { MemberKey } from './protocol/types.ts';

export interface DeleteOptions {
  /** Milliseconds for everything; default 5,000. Then `timeout`. */
  readonly timeoutMs?: number;
  /** Aborting rejects with `aborted`. */
  readonly signal?: AbortSignal;
  /** A node of the machine on which members crashed: it asks their addresses, and a refusal there proves that they are gone. Default: nobody is asked. */
  readonly node?: RegistryNode;
  /**
   * Default false. True: whoever is recorded counts as gone, on your word. **If a member lives, its names may have two owners**: a
   * leader that lives goes on deciding until its lease has run out or it looks into the store, up to `leaseMs`, or `storeOutageToleranceMs`
   * when the store is out of its reach, and meanwhile others found the registry anew. A member that notices ends its registered processes.
   */
  readonly force?: boolean;
}

/** What was deleted. */
export interface Deletion {
  /** False: there was nothing. */
  readonly deleted: boolean;
  /** Keys that were cleared. */
  readonly keys: number;
  /** The members that were still recorded, as `node#incarnation`: proven gone, or taken for it by `force`. */
  readonly members: readonly string[];
  /** The highest epoch that the registry had; 0 without one. The next registry of the name begins again below it. */
  readonly epoch: number;
}

export interface DeleteOrder {
  /** What stands for the registry in its keys. */
  readonly root: string;
  /** For messages. */
  readonly what: string;
  readonly space: KeySpace;
  readonly options: DeleteOptions;
}

const timeoutMsDefault = 5_000;
const keysPerPage = 1_000;

/** Rejects with `registry_in_use`, `bad_option`, and the errors of `transact`. Nothing is cleared then, but for `store_commit_unknown`. */
export async function deleteRegistry({ root, what, space, options }: DeleteOrder): Promise<Deletion> {
  const { timeoutMs = timeoutMsDefault, signal, force = false } = options;
  const { clock } = space.host;
  const endsAt = clock.now() + timeoutMs;
  const gone = new Set<MemberKey>();
  for (;;) {
    const left = () => ({
      timeoutMs: timeoutMs > 0 ? Math.max(endsAt - clock.now(), 1) : timeoutMs,
      ...(signal !== undefined && { signal }),
    });
    const found = await transact(space, (tx) => clearIfGone(tx, root, { gone, force }), left());
    if ('deleted' in found) return found;
    const lifetime = new Lifetime({ ...left(), timers: space.host.timers, what: 'asking the members' });
    const proven = await provenGone(found, options.node, lifetime);
    if (proven.length < found.inTheWay.length) throw inUse(what, found);
    for (const member of proven) gone.add(member);
  }
}

interface InTheWay {
  readonly inTheWay: readonly MemberKey[];
  readonly leader: MemberKey | null;
  readonly infos: ReadonlyMap<MemberKey, MemberInfo>;
}

/** Clears the registry, unless somebody is in the way who is not known to be gone. */
async function clearIfGone(
  tx: Transaction,
  root: string,
  { gone, force }: { gone: ReadonlySet<MemberKey>; force: boolean },
): Promise<Deletion | InTheWay> {
  const { keys, leader, epoch, infos } = await readAll(tx, root);
  const recorded = [...new Set([...infos.keys(), ...(leader === null ? [] : [leader])])].sort();
  const inTheWay = recorded.filter((member) => !gone.has(member) && !isReplaced(member, infos));
  if (inTheWay.length > 0 && !force) return { inTheWay, leader, infos };
  if (keys > 0) tx.clearRange(prefixRange('registry', root));
  return { deleted: keys > 0, keys, members: recorded, epoch };
}

/** Everything under the registry's prefix, so that the commit rests on all of it: a member that joins meanwhile is seen. */
async function readAll(tx: Transaction, root: string) {
  const infos = new Map<MemberKey, MemberInfo>();
  const leaderKey = keyOf('registry', root, 'leader').join();
  let [keys, leader, epoch]: [number, MemberKey | null, number] = [0, null, 0];
  let range = prefixRange('registry', root);
  for (let more = true; more; ) {
    const page = await tx.getRange(range, { limit: keysPerPage });
    for (const [key, value] of page.items) {
      keys += 1;
      range = { ...range, begin: keyAfter(key) };
      const [, , kind, member = ''] = partsOf(key);
      if (key.join() === leaderKey) ({ leader, epoch } = decodeRecord(value));
      else if (kind === 'member') infos.set(member, decodeInfo(value, member));
    }
    more = page.more;
  }
  return { keys, leader, epoch, infos };
}

function isReplaced(member: MemberKey, infos: ReadonlyMap<MemberKey, MemberInfo>): boolean {
  const info = infos.get(member);
  if (info === undefined) return false;
  return [...infos.values()].some((other) => other.node === info.node && hasReplaced(other, info));
}

/** Those at whose address nobody, or somebody else, answers, where that proves something: on the machine of the node that asks. */
async function provenGone(
  { infos, inTheWay }: InTheWay,
  node: RegistryNode | undefined,
  lifetime: Lifetime,
): Promise<MemberKey[]> {
  const controller = new AbortController();
  const isGone = async (member: MemberKey): Promise<boolean> => {
    const info = infos.get(member);
    if (node === undefined || info === undefined || info.address === null) return false;
    if (info.machineId !== node.machineId) return false;
    const expected = { node: info.node, creation: info.creation };
    const { verdict } = await node.probe(info.address, expected, controller.signal);
    return verdict === 'refused' || verdict === 'other';
  };
  try {
    lifetime.check();
    const verdicts = await lifetime.race(Promise.all(inTheWay.map(isGone)));
    return inTheWay.filter((_, index) => verdicts[index]);
  } finally {
    lifetime.end(new DGenError('closed', 'asking the members'));
    controller.abort();
  }
}

function inUse(what: string, { inTheWay, leader }: InTheWay): DGenError {
  return new DGenError('registry_in_use', `registry ${what}`, {
    expected: 'no member that may still run',
    got: `${inTheWay.length}: ${inTheWay.slice(0, 5).join(', ')}`,
    details: { members: inTheWay, leader },
  });
}
