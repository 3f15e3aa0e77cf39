// An operator's word: the office changes hands though nothing is proven, and a leader that lived after all comes back as
// somebody else, without its processes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, type Pair, pair, spawnIdle } from './support.ts';

let all: Pair;
before(async () => {
  all = await pair();
});
after(() => all.cluster.close());

test('a member claims on an operator’s word', { timeout: 60_000 }, async () => {
  const { a, b, ra, rb } = all;
  const lost = spawnIdle(a);
  await ra.register('of-the-leader', lost);
  await eventually('both count', () => ra.status().established && rb.status().established);
  await eventually('b shows it', () => rb.whereis('of-the-leader') !== undefined);
  const { epoch } = rb.status();
  const { member } = ra.status();
  assert.deepEqual(ra.forceClaim(), [], 'a leader has nothing to claim');
  const reason = a.runtime.whenDown(lost, { timeoutMs: 30_000 });
  assert.deepEqual(rb.forceClaim(), [['a@127.0.0.1', ra.memberName]]);
  await eventually('b leads', () => rb.getLeader()?.[0] === b.name && rb.status().serving);
  assert.ok(rb.status().epoch > epoch);
  const done = await rb.register('of-the-leader', spawnIdle(b), { timeoutMs: 10_000 });
  assert.equal(done.status, 'registered');
  assert.equal(String(await reason), ':fenced');
  await eventually(
    'a is back',
    () => ra.status().phase === 'active' && ra.status().member !== member,
    20_000,
  );
  assert.ok(ra.whereis('of-the-leader')?.equals((await rb.whereisConsistent('of-the-leader')) as never));
});
