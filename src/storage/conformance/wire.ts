// Commits on a wire that fails at every point of the conversation in turn. Each commit adds one to a counter without reading it:
// so the counter, read through a client that nothing disturbs, tells how often the store has really applied it, whatever
// the client was told. That number must be one or none, and it must be what the client was told, if that was definite.
import { rangeOfKey } from '../bytes.ts';
import type { Bytes, Commit } from '../port.ts';
import type { Transaction } from '../recording.ts';
import { transact } from '../transact.ts';
import type { Bench, ConformanceCase, Remote, Verdict } from './support.ts';
import {
  check,
  equal,
  key,
  number,
  numberIn,
  persist,
  refusals,
  set,
  valueAt,
  verdict,
  within,
} from './support.ts';
import type { ConformanceLink, DelayedRequest, FaultPoint, LinkFault } from './target.ts';

/** Messages of one commit that are tried at most. */
const turnsMax = 20;
const commitMs = 4_000;
const settleMs = 8_000;
const counterKey = key('applied');
const valueKey = key('value');

/** How a commit looks: with or without something that it rests on, with or without a marker. */
interface Form {
  readonly rests: boolean;
  readonly id: boolean;
}

const forms: readonly Form[] = [
  { rests: false, id: false },
  { rests: true, id: false },
  { rests: false, id: true },
  { rests: true, id: true },
];

type Arm = (link: ConformanceLink, point: FaultPoint) => LinkFault;

function requestOf(form: Form, id: Bytes, attempt: number): Commit {
  const count = { type: 'add', key: counterKey, value: number(1n) } as const;
  const request: Commit = form.rests
    ? { reads: [rangeOfKey(valueKey)], writes: [set(valueKey, id), count] }
    : { reads: [], writes: [count] };
  return form.id ? { ...request, id, attempt } : request;
}

async function counter(bench: Bench): Promise<bigint> {
  return numberIn(await persist(bench, settleMs, () => valueAt(bench.tenant, counterKey)));
}

/** One commit through the link, with a fault armed when all that comes before it is done. */
interface Struck {
  readonly said: Verdict;
  readonly struck: boolean;
  /** The counter before it. */
  readonly before: bigint;
  readonly fault: LinkFault;
}

async function commitThrough(
  bench: Bench,
  remote: Remote,
  { request, arm }: { request: Commit; arm: (link: ConformanceLink) => LinkFault },
): Promise<Struck> {
  const before = await counter(bench);
  const tx = await persist(bench, remote.recoveryMs, async () => {
    const begun = await remote.tenant.begin({ timeoutMs: commitMs });
    await begun.get(valueKey);
    return begun;
  });
  const fault = arm(remote.link);
  const said = await within(bench, commitMs + 2_000, verdict(tx.commit(request)));
  fault.disarm();
  return { said, struck: fault.struck, before, fault };
}

/** The same commit once more, as another attempt, by a client that nothing disturbs, until its outcome is known. */
async function settle(bench: Bench, form: Form, id: Bytes): Promise<Verdict> {
  return persist(bench, settleMs, async () => {
    const tx = await bench.tenant.begin({ timeoutMs: commitMs });
    if (form.rests) await tx.get(valueKey);
    const result = await tx.commit(requestOf(form, id, 1));
    return result.applied === 'now' ? { ending: 'now' } : { ending: 'earlier', attempt: result.attempt };
  });
}

/** Applied `count` times: is that what was said? */
function checkSaid({ ending }: Verdict, count: bigint): void {
  check(
    count === 0n || count === 1n,
    `the store applied one commit ${count} times; its client was told ${ending}`,
  );
  if (ending === 'store_commit_unknown') return;
  const expected = ending === 'now' ? 1n : 0n;
  check(expected === 1n || refusals.includes(ending), `a disturbed commit must not end with ${ending}`);
  equal(count, expected, `times applied after the client was told ${ending}`);
}

/** Strikes each turn of a commit once, the form given. The disturbed commits must not all have failed, if `someApply`. */
async function strikeEachTurn(
  bench: Bench,
  form: Form,
  { arm, someApply }: { arm: Arm; someApply: boolean },
) {
  const remote = await bench.remote();
  let [strikes, applied] = [0, 0n];
  for (let turns = 0; ; turns++) {
    check(turns < turnsMax, `a commit takes more than ${turnsMax} turns`);
    const id = bench.host.random.bytes(16);
    const request = requestOf(form, id, 0);
    const struck = await commitThrough(bench, remote, { request, arm: (link) => arm(link, { turns }) });
    const count = await timesApplied(bench, form, { id, struck });
    checkSaid(struck.said, count);
    if (!struck.struck) {
      equal(struck.said.ending, 'now', 'the ending of a commit without a fault');
      break;
    }
    strikes += 1;
    applied += count;
  }
  check(strikes > 0, 'no fault ever struck: the traffic of the client does not pass the link');
  check(!someApply || applied > 0n, 'no commit whose reply was lost had been applied');
}

/** How often the disturbed commit was applied. Where it has an id, a second attempt decides, and must be the only other one. */
async function timesApplied(
  bench: Bench,
  form: Form,
  { id, struck }: { id: Bytes; struck: Struck },
): Promise<bigint> {
  if (!form.id) {
    await bench.pause(50);
    return (await counter(bench)) - struck.before;
  }
  let settling = settle(bench, form, id);
  if (isDelayed(struck.fault)) {
    // The second attempt may have to wait for the first: a server may hold what the first has touched.
    await Promise.race([settling.catch(ignore), bench.pause(1_500)]);
    await struck.fault.release();
    await settling;
    settling = settle(bench, form, id);
  }
  const { ending, attempt } = await settling;
  equal(await counter(bench), struck.before + 1n, 'the counter after several attempts of one id');
  return ending === 'earlier' && attempt === 0 ? 1n : 0n;
}

/** Whoever awaits the promise itself hears of it. */
const ignore = () => undefined;

function isDelayed(fault: LinkFault): fault is DelayedRequest {
  return 'release' in fault;
}

const describeForm = ({ rests, id }: Form): string =>
  `${rests ? 'a read and a write' : 'a blind addition'} ${id ? 'with an id' : 'without an id'}`;

function casesFor(what: string, arm: Arm, someApply: boolean): ConformanceCase[] {
  return forms.map((form) => ({
    name: `wire: ${what} at each point of a commit: ${describeForm(form)}`,
    needs: ['link'],
    run: (bench) => strikeEachTurn(bench, form, { arm, someApply }),
  }));
}

export const wireCases: readonly ConformanceCase[] = [
  ...casesFor('the reply is lost', (link, point) => link.loseNextReply(point), true),
  ...casesFor('the request is lost', (link, point) => link.loseNextRequest(point), false),
  ...forms
    .filter(({ id }) => id)
    .map(
      (form): ConformanceCase => ({
        name: `wire: the request arrives after its repetition, at each point of a commit: ${describeForm(form)}`,
        needs: ['link'],
        run: (bench) =>
          strikeEachTurn(bench, form, {
            arm: (link, point) => link.delayNextRequest(point),
            someApply: false,
          }),
      }),
    ),
  {
    name: 'wire: a deadline that passes during a commit says what is known, in time',
    needs: ['link'],
    run: (bench) => endDuringCommit(bench, 'deadline'),
  },
  {
    name: 'wire: an abort during a commit says what is known, at once',
    needs: ['link'],
    run: (bench) => endDuringCommit(bench, 'abort'),
  },
  {
    name: 'wire: transactions over a failing wire are applied exactly once',
    needs: ['link'],
    run: exactlyOnce,
  },
];

const endMs = 400;

/** The network is silent from right before the commit on. What must not happen: to wait longer, or to be wrong. */
async function endDuringCommit(bench: Bench, by: 'deadline' | 'abort'): Promise<void> {
  const remote = await bench.remote();
  const form = { rests: true, id: true };
  const id = bench.host.random.bytes(16);
  const before = await counter(bench);
  const abort = new AbortController();
  const timeoutMs = by === 'abort' ? commitMs : endMs;
  const tx = await remote.tenant.begin({ timeoutMs, signal: abort.signal });
  await tx.get(valueKey);
  remote.link.silence();
  if (by === 'abort') bench.host.timers.after(endMs, () => abort.abort());
  const said = await within(bench, endMs + 1_500, verdict(tx.commit(requestOf(form, id, 0))));
  remote.link.heal();
  const expected = by === 'abort' ? 'aborted' : 'timeout';
  check(
    ['store_commit_unknown', 'store_unavailable', expected].includes(said.ending),
    `a commit without an answer must not end with ${said.ending}`,
  );
  const settled = await settle(bench, form, id);
  const firstWon = settled.ending === 'earlier' && settled.attempt === 0;
  check(
    !firstWon || said.ending === 'store_commit_unknown',
    `applied, although its client was told ${said.ending}`,
  );
  equal(await counter(bench), before + 1n, 'the counter');
}

/** As in life: any fault at any point, and a body that is run until its outcome is known. */
async function exactlyOnce(bench: Bench): Promise<void> {
  const { random, clock } = bench.host;
  const { tenant, link, recoveryMs } = await bench.remote();
  const arms: readonly ((point: FaultPoint) => LinkFault)[] = [
    (point) => link.loseNextReply(point),
    (point) => link.loseNextRequest(point),
    (point) => link.delayNextRequest(point),
  ];
  const delayed: DelayedRequest[] = [];
  const end = clock.now() + 15_000;
  let done = 0n;
  for (; done < 30n && clock.now() < end; done++) {
    const fault = arms[random.uint32() % arms.length]?.({ turns: random.uint32() % 6 }) as LinkFault;
    await transact(tenant, countUp, { timeoutMs: recoveryMs + 5_000 });
    fault.disarm();
    if (isDelayed(fault)) delayed.push(fault);
    if (delayed.length > 2) await delayed.shift()?.release();
  }
  for (const fault of delayed) await fault.release();
  equal([await counter(bench), numberIn(await valueAt(bench.tenant, valueKey))], [done, done], 'counters');
}

async function countUp(tx: Transaction): Promise<void> {
  tx.add(counterKey, 1n);
  tx.set(valueKey, number(numberIn(await tx.get(valueKey)) + 1n));
}
