// What every user does, step by step on a cluster where nothing goes wrong but what the case names.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Parcel } from '../../src/sim/network.ts';
import { leaseMs, Script, sessionMs } from '../../src/sim/script.ts';

function cluster(): Script {
  const script = new Script(['A', 'B', 'C']);
  script.start('B', 'A', 'C');
  return script;
}

describe('a cluster of three', () => {
  test('the first to start leads, and everybody counts', () => {
    const s = cluster();
    assert.ok(s.leads('B'));
    assert.equal(s.cluster.store.members.length, 3);
    assert.equal(s.judged.rest.unrest(), null);
  });

  test('a registration is seen by consistent reads everywhere, and by all tables soon', () => {
    const s = cluster();
    const process = s.hold('A', 'x');
    for (const name of ['A', 'B', 'C']) assert.equal(s.answer(s.read(name, 'x')), 'found');
    s.run(50);
    for (const name of ['A', 'B', 'C']) assert.equal(s.sees(name, 'x'), process.pid.toString());
    assert.equal(s.answer(s.read('C', 'y')), 'absent');
  });

  test('a name that is held is taken, on whatever node one asks; the holder itself is told its token again', () => {
    const s = cluster();
    const process = s.hold('A', 'x');
    for (const name of ['A', 'B', 'C']) assert.equal(s.answer(s.register(name, 'x')), 'taken');
    const again = s.register('A', 'x', process);
    assert.equal(s.answer(again), 'registered');
  });

  test('many die at once: their records go a few with each write, in the same term of office', () => {
    const names = ['A', 'B', 'C', 'D', 'E', 'F', 'G'];
    const s = new Script(names);
    s.start(...names);
    s.hold('G', 'x');
    const largest: number[] = [];
    s.cluster.store.intercept = (_node, op) => {
      if (op.kind === 'write') largest.push(op.removeMembers.length);
      return null;
    };
    for (const name of names.slice(2)) {
      const dead = s.cluster.crash(name) as string;
      for (const other of ['A', 'B']) s.cluster.proveDead(dead, s.node(other));
    }
    s.until('the dead are gone', () => s.cluster.store.members.length === 2, 2 * leaseMs);
    assert.equal(Math.max(...largest), 2);
    assert.equal(s.cluster.store.record?.epoch, 1);
    assert.equal(s.answer(s.register('B', 'x')), 'registered');
  });

  test('a third node unregisters: gone for itself at once, for everybody when it is done', () => {
    const s = cluster();
    s.hold('A', 'x');
    s.run(50);
    const call = s.unregister('C', 'x');
    assert.ok(s.state('C').host.hidden.has('x'));
    assert.equal(s.answer(call), 'done');
    assert.equal(s.answer(s.read('A', 'x')), 'absent');
    s.run(50);
    assert.equal(s.state('C').host.hidden.size, 0);
    s.hold('C', 'x');
  });

  test('unregistering what nobody holds is done', () => {
    const s = cluster();
    assert.equal(s.answer(s.unregister('A', 'x')), 'done');
  });

  test('an exit frees all names of the process in one message', () => {
    const s = cluster();
    const process = s.hold('A', 'x');
    assert.equal(s.answer(s.register('A', 'y', process)), 'registered');
    const before = s.sentBy('A', 'requests').length;
    s.cluster.exit(process);
    s.run(100);
    assert.equal(s.answer(s.read('C', 'x')), 'absent');
    assert.equal(s.answer(s.read('C', 'y')), 'absent');
    assert.equal(s.sentBy('A', 'requests').length, before + 1);
  });

  test('a registration that was given up is given back, and was never seen', () => {
    const s = cluster();
    s.loseTo('A', 'stream');
    const call = s.register('A', 'x');
    const read = s.read('C', 'x');
    s.run(100);
    s.cluster.cancel(call);
    s.lose(null);
    assert.equal(s.answer(read), 'absent');
    assert.equal(call.result?.type === 'error' && !call.result.maybeExecuted, true);
    s.hold('C', 'x');
  });
});

describe('what a registration waits for', () => {
  test('the leader keeps its own names only with a second holder, and nobody sees them before', () => {
    const s = cluster();
    s.lose((parcel) => parcel.message.type === 'stream');
    const call = s.register('B', 'x');
    s.run(10);
    const read = s.read('C', 'x');
    s.run(leaseMs / 2);
    assert.ok(call.answeredAt === Infinity && read.answeredAt === Infinity);
    s.lose(null);
    assert.equal(s.answer(call), 'registered');
    assert.equal(s.answer(read), 'found');
  });

  test('a host that promised is the truth: what it ended unseen is gone, what it recorded unseen stays', () => {
    const s = cluster();
    const ended = s.hold('A', 'x');
    s.run(20);
    // C learns of nothing more; A holds y and has ended x.
    s.loseTo('C', 'stream');
    s.hold('A', 'y');
    s.cluster.exit(ended);
    s.run(50);
    const dead = s.cluster.crash('B') as string;
    s.lose(null);
    s.cutStore('A');
    for (const name of ['A', 'C']) s.cluster.proveDead(dead, s.node(name));
    s.until('C leads', () => s.leads('C'));
    assert.equal(s.answer(s.read('C', 'x')), 'absent');
    assert.equal(s.answer(s.read('C', 'y')), 'found');
  });

  test('a request of a former epoch is not taken when its leader leads again', () => {
    const s = cluster();
    const late: Parcel[] = [];
    s.lose((parcel) => {
      const caught = parcel.fromNode === 'A' && parcel.message.type === 'requests';
      if (caught) late.push(parcel);
      return caught;
    });
    const call = s.register('A', 'x');
    s.run(50);
    s.cluster.cancel(call);
    s.lose(null);
    s.cutStore('A');
    s.cutStore('B');
    s.until('C leads', () => s.leads('C'));
    s.healStore('A');
    s.healStore('B');
    s.run(leaseMs);
    const dead = s.cluster.crash('C') as string;
    for (const name of ['A', 'B']) s.cluster.proveDead(dead, s.node(name));
    s.until('B leads again', () => s.leads('B'));
    s.run(100);
    const before = s.state('B').leader?.n;
    assert.ok(late.length > 0);
    for (const parcel of late) s.cluster.network.forward(parcel);
    s.run(20);
    assert.equal(s.state('B').leader?.n, before);
  });
});

describe('failover', () => {
  test('by proof of death it is immediate, and names on living hosts stay', () => {
    const s = cluster();
    const process = s.hold('A', 'x');
    s.hold('B', 'y');
    const dead = s.cluster.crash('B') as string;
    const since = s.now;
    for (const name of ['A', 'C']) s.cluster.proveDead(dead, s.node(name));
    s.until('somebody leads', () => s.leads('A') || s.leads('C'));
    assert.ok(s.now - since < 200, `took ${s.now - since} ms`);
    assert.equal(s.answer(s.read('C', 'x')), 'found');
    assert.equal(s.answer(s.read('C', 'y')), 'absent');
    assert.equal(s.sees('C', 'x'), process.pid.toString());
  });

  test('by lapse it takes about a lease; no session lapses, names of the dead wait for theirs', () => {
    const s = cluster();
    s.hold('A', 'x');
    s.hold('B', 'y');
    const members = [s.self('A'), s.self('C')];
    s.cluster.crash('B');
    const since = s.now;
    s.until('somebody leads', () => s.leads('A') || s.leads('C'));
    assert.ok(s.now - since < 1.6 * leaseMs, `took ${s.now - since} ms`);
    assert.equal(s.answer(s.read('C', 'x')), 'found');
    s.hold('C', 'z');
    const call = s.register('C', 'y');
    s.run(sessionMs / 2);
    assert.equal(call.result, null);
    assert.equal(s.answer(call), 'registered');
    assert.ok(s.now - since > sessionMs * 0.95);
    assert.deepEqual([s.self('A'), s.self('C')], members);
  });

  test('a resignation hands over at once', () => {
    const s = cluster();
    s.hold('A', 'x');
    const since = s.now;
    s.cluster.deliver(s.node('B'), { type: 'drain' });
    s.until('somebody else leads', () => s.leads('A') || s.leads('C'));
    assert.ok(s.now - since < 200, `took ${s.now - since} ms`);
    s.until('B has left', () => s.node('B').state === null);
    s.until('the rest is at rest', () => s.judged.rest.unrest() === null);
    assert.equal(s.answer(s.read('C', 'x')), 'found');
  });
});

describe('coming and going', () => {
  test('a joiner gets one transfer and then counts', () => {
    const s = new Script(['A', 'B', 'C']);
    s.start('B', 'A');
    for (let n = 0; n < 30; n++) s.hold(n % 2 ? 'A' : 'B', `x${n}`);
    s.cluster.start('C');
    s.until('C counts', () => s.isEstablished('C'));
    assert.equal(s.state('C').replica.entries.size, 30);
    assert.equal(
      s.sentBy('C', 'pull').filter((parcel) => parcel.message.type === 'pull' && parcel.message.part === 0)
        .length,
      1,
    );
    s.hold('C', 'z');
  });

  test('a drain takes no new names, waits for the old ones, and leaves nothing in the store', () => {
    const s = cluster();
    const process = s.hold('C', 'x');
    s.cluster.deliver(s.node('C'), { type: 'drain' });
    assert.equal(s.answer(s.register('C', 'y')), 'draining');
    s.run(500);
    assert.equal(s.answer(s.read('A', 'x')), 'found');
    s.cluster.exit(process);
    s.until('C has left', () => s.node('C').state === null, 2000);
    s.until('at rest', () => s.judged.rest.unrest() === null, 2000);
    assert.equal(s.cluster.store.members.length, 2);
  });

  test('the last one to leave takes everything along', () => {
    const s = new Script(['A']);
    s.start('A');
    s.cluster.deliver(s.node('A'), { type: 'drain' });
    s.until('A has left', () => s.node('A').state === null, 3000);
    assert.deepEqual(s.cluster.store.members, []);
    s.start('A');
    s.hold('A', 'x');
  });

  test('paused past its session, a member fences itself before anything else and returns as another', () => {
    const s = cluster();
    const process = s.hold('A', 'x');
    const before = s.self('A');
    s.cluster.pause('A');
    const call = s.register('C', 'x');
    assert.equal(s.answer(call), 'taken');
    s.run(1.3 * sessionMs);
    s.hold('C', 'x');
    s.cluster.resume('A');
    assert.equal(process.alive, false);
    assert.equal(s.state('A').phase, 'fenced');
    s.until('A is back', () => s.state('A').phase === 'active');
    assert.notEqual(s.self('A'), before);
  });

  test('a restart in place frees the names as soon as the new incarnation says hello with proof', () => {
    const s = cluster();
    s.hold('A', 'x');
    const dead = s.cluster.crash('A') as string;
    s.cluster.start('A');
    s.cluster.proveDead(dead, s.node('B'));
    const since = s.now;
    s.hold('A', 'x');
    assert.ok(s.now - since < 500, `took ${s.now - since} ms`);
  });
});

describe('an outage of the store', () => {
  test('stops nothing while all hold together, and ends at the tolerance', () => {
    const s = cluster();
    s.cutStore('*');
    s.run(5 * leaseMs);
    s.hold('A', 'x');
    assert.equal(s.answer(s.read('C', 'x')), 'found');
    s.run(10 * leaseMs);
    const call = s.register('C', 'y');
    s.run(500);
    assert.equal(call.result?.type === 'registered', false);
    s.healStore('*');
    s.until('at rest', () => s.judged.rest.unrest() === null);
  });

  test('of the leader alone moves the office to a member that reaches the store', () => {
    const s = cluster();
    s.hold('A', 'x');
    s.cutStore('B');
    s.run(10 * leaseMs);
    assert.equal(s.answer(s.read('C', 'x')), 'found');
    assert.ok(['A', 'B', 'C'].some((name) => s.leads(name)));
  });
});
