// The public functions of the reference, each with its meaning, on two nodes.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  addressOf,
  atom,
  compareTokens,
  GenServer,
  hasCode,
  isDownMessage,
  Registry,
  tuple,
} from '../../../src/index.ts';
import { Counter, eventually, type Pair, pair, spawnIdle } from './support.ts';

describe('the registry on two nodes', { timeout: 60_000 }, () => {
  let all: Pair;
  before(async () => {
    all = await pair();
  });
  after(() => all.cluster.close());

  it('registers a started server by a via name and finds it from both nodes', async () => {
    const { a, b, ra, rb } = all;
    const pid = await a.start(Counter, 5, { name: { via: Registry, name: ['games', 'room-1'] } });
    assert.ok(Registry.whereisName(a, ['games', 'room-1'])?.equals(pid));
    await eventually('b shows the name', () => rb.whereis('room-1') !== undefined);
    assert.ok(rb.whereis('room-1')?.equals(pid));
    assert.equal(await b.call(rb.address(Counter, 'room-1'), 'increment', 2), 7);
    assert.equal(await a.call(ra.address(Counter, 'room-1'), 'increment', 1), 8);
    assert.ok((await Registry.whereisNameConsistent(b, ['games', 'room-1']))?.equals(pid));
  });

  it('refuses a second holder with the first one, on both nodes', async () => {
    const { a, b, ra, rb } = all;
    const first = spawnIdle(b);
    const won = await rb.register('single', first);
    assert.equal(won.status, 'registered');
    for (const [node, registry] of [
      [a, ra],
      [b, rb],
    ] as const) {
      const refused = await registry.register('single', spawnIdle(node));
      assert.equal(refused.status, 'taken');
      assert.ok(refused.status === 'taken' && refused.holder.equals(first));
    }
    assert.equal(await Registry.registerName(a, ['games', 'single'], spawnIdle(a)), 'no');
  });

  it('says yes again, with the same token, to the process that holds the name', async () => {
    const { a, ra } = all;
    const pid = spawnIdle(a);
    const first = await ra.register('again', pid);
    const second = await ra.register('again', pid);
    assert.deepEqual(second, first);
    assert.equal(await ra.registerName('again', pid), 'yes');
  });

  it('gives tokens that grow from holder to holder', async () => {
    const { a, b, ra, rb } = all;
    const tokens = [];
    for (let round = 0; round < 4; round++) {
      const [node, registry] = round % 2 === 0 ? [a, ra] : [b, rb];
      const done = await registry.register('tokens', spawnIdle(node));
      assert.equal(done.status, 'registered');
      tokens.push(done.token);
      await registry.unregister('tokens');
    }
    for (let index = 1; index < tokens.length; index++) {
      const [earlier, later] = [tokens[index - 1], tokens[index]];
      assert.ok(earlier && later && compareTokens(earlier, later) < 0 && earlier.value < later.value);
    }
  });

  it('registers a process of the other node through its own member', async () => {
    const { b, ra, rb } = all;
    const pid = spawnIdle(b);
    assert.equal((await ra.register('elsewhere', pid)).status, 'registered');
    assert.equal(rb.status().namesHosted > 0, true);
    assert.ok((await rb.whereisConsistent('elsewhere'))?.equals(pid));
  });

  it('frees all names of a process that exits', async () => {
    const { b, ra, rb } = all;
    const pid = spawnIdle(b);
    await rb.register('mortal-1', pid);
    await rb.register('mortal-2', pid);
    b.runtime.exit(pid, atom('kill'));
    await eventually(
      'a forgets',
      () => ra.whereis('mortal-1') === undefined && ra.whereis('mortal-2') === undefined,
    );
    assert.equal(await ra.whereisConsistent('mortal-1'), undefined);
  });

  it('unregisters at the host and from elsewhere, hiding the name at once', async () => {
    const { b, ra, rb } = all;
    await rb.register('gone', spawnIdle(b));
    await eventually('a shows it', () => ra.whereis('gone') !== undefined);
    const done = Registry.unregisterName(all.a, ['games', 'gone']);
    assert.equal(ra.whereis('gone'), undefined);
    await done;
    await eventually('b forgets', () => rb.whereis('gone') === undefined);
    assert.equal(await rb.whereisConsistent('gone'), undefined);
    await ra.unregister('never-was');
  });

  it('takes any term as a name, equal by value', async () => {
    const { a, b, ra, rb } = all;
    const names = [
      42,
      'text',
      tuple(atom('room'), 7),
      ['list', 1],
      { user: 'ann', id: 3 },
      atom('only'),
      2n ** 80n,
      null,
      Uint8Array.of(1, 255),
    ];
    for (const name of names) assert.equal((await ra.register(name, spawnIdle(a))).status, 'registered');
    const copies = [
      42,
      'text',
      tuple(atom('room'), 7),
      ['list', 1],
      { id: 3, user: 'ann' },
      atom('only'),
      2n ** 80n,
      atom('nil'),
      Uint8Array.of(1, 255),
    ];
    for (const copy of copies) {
      assert.equal((await rb.register(copy, spawnIdle(b))).status, 'taken');
      assert.ok(rb.whereis(copy) !== undefined);
    }
  });

  it('keeps registries of any name apart', async () => {
    const { a, ra } = all;
    const other = await a.registry(tuple('orders', 1), { leaseMs: 1_000 });
    await other.register('room-1', spawnIdle(a));
    assert.ok(!other.whereis('room-1')?.equals(ra.whereis('room-1')));
    assert.ok(Registry.whereisName(a, [tuple('orders', 1), 'room-1']) !== undefined);
    await other.close();
    assert.throws(
      () => Registry.whereisName(a, [tuple('orders', 1), 'room-1']),
      (error) => hasCode(error, 'unknown_registry'),
    );
  });

  it('sends to the holder and says who that is', async () => {
    const { a, b, ra, rb } = all;
    const got: unknown[] = [];
    const pid = b.runtime.spawnBehaviour({
      handle(message) {
        got.push(message);
      },
    });
    await rb.register('listener', pid);
    await eventually('a shows it', () => ra.whereis('listener') !== undefined);
    assert.ok(Registry.send(a, ['games', 'listener'], 'hello').equals(pid));
    a.send(ra.via('listener'), 'via');
    await eventually('both arrive', () => got.length === 2);
    assert.deepEqual(got, ['hello', 'via']);
  });

  it('tells leader, members and the names of its processes', async () => {
    const { a, b } = all;
    assert.deepEqual(Registry.getLeader(b, 'games'), ['a@127.0.0.1', Registry.memberName(a, 'games')]);
    const members = Registry.getMembers(b, 'games').map(([node]) => node);
    assert.deepEqual(members.sort(), ['a@127.0.0.1', 'b@127.0.0.1']);
    for (const name of [Registry.memberName(a, 'games'), Registry.electorName(a, 'games')]) {
      assert.ok(a.runtime.whereis(name) !== undefined);
      await assert.rejects(a.runtime.call(name, 'anything', { timeoutMs: 200 }));
    }
    assert.ok(a.runtime.whereis('games') !== undefined, 'the supervisor has the name of the registry');
  });

  it('hands metadata out with every look-up', async () => {
    const { a, ra, rb } = all;
    await ra.register('described', spawnIdle(a), { metadata: { region: 'eu', load: 3 } });
    assert.deepEqual((await rb.lookupConsistent('described'))?.metadata, { region: 'eu', load: 3 });
    assert.deepEqual(ra.lookup('described')?.metadata, { region: 'eu', load: 3 });
  });

  it('sits in the user’s own supervision tree under a name of its own', async () => {
    const { a } = all;
    const parent = spawnIdle(a);
    const registry = await Registry.startLink(a, 'orders_sup', 'orders', a.tenant, {
      leaseMs: 1_000,
      link: parent,
    });
    assert.ok(a.runtime.whereis('orders_sup')?.equals(registry.supervisor));
    a.runtime.exit(parent, atom('kill'));
    await eventually('the tree ends with its parent', () => a.runtime.whereis('orders_sup') === undefined);
    assert.throws(
      () => Registry.getLeader(a, 'orders'),
      (error) => hasCode(error, 'unknown_registry'),
    );
  });

  it('serves a typed address of a server that monitors another by name', async () => {
    const { a, ra } = all;
    const reasons: unknown[] = [];
    class Watcher extends GenServer {
      handleInfo(message: unknown): void {
        if (isDownMessage(message)) reasons.push(message.reason);
      }
      handleCall = {
        watch: (name: string): string => {
          this.process.monitor(ra.via(name));
          return 'watching';
        },
      };
    }
    const watcher = await a.start(Watcher);
    assert.equal(await a.call(watcher, 'watch', 'room-1'), 'watching');
    const doomed = spawnIdle(a);
    await ra.register('watched', doomed);
    await a.call(watcher, 'watch', 'watched');
    await a.call(watcher, 'watch', 'nobody at all');
    a.runtime.exit(doomed, atom('kill'));
    await eventually('both went down', () => reasons.length === 2);
    assert.deepEqual(reasons, [atom('noproc'), atom('killed')]);
    assert.equal(await a.call(addressOf(Counter, ra.via('room-1')), 'increment', 0), 8);
  });
});
