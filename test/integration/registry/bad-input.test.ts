// What bad input gets: one coded error each, that says expected and got; and the node goes on.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  atom,
  DGenError,
  type ErrorCode,
  MemoryDatabase,
  Node,
  nodeHost,
  openStore,
  Registry,
  storeAt,
  within,
} from '../../../src/index.ts';
import { Counter, fast, type Pair, pair, spawnIdle } from './support.ts';

type Check = { readonly code: ErrorCode; readonly says?: RegExp; readonly maybeExecuted?: boolean };

function coded({ code, says = /./, maybeExecuted }: Check): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof DGenError, `a DGenError, not ${String(error)}`);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, says);
    if (maybeExecuted !== undefined) assert.equal(error.maybeExecuted, maybeExecuted);
    return true;
  };
}

describe('bad input', { timeout: 90_000 }, () => {
  let all: Pair;
  let folder: string;
  before(async () => {
    all = await pair();
    folder = await mkdtemp(join(tmpdir(), 'dgen-bad-'));
  });
  after(async () => {
    await all.cluster.close();
    await rm(folder, { recursive: true, force: true });
  });
  const alive = async (): Promise<void> => {
    const { a, ra, rb } = all;
    const name = `alive-${Math.random()}`;
    assert.equal((await ra.register(name, spawnIdle(a))).status, 'registered');
    assert.ok((await rb.whereisConsistent(name)) !== undefined);
  };

  it('an unknown registry', () => {
    assert.throws(
      () => Registry.whereisName(all.a, ['nope', 'x']),
      coded({ code: 'unknown_registry', says: /expected.*games/ }),
    );
    assert.throws(() => Registry.getMembers(all.a, 'nope'), coded({ code: 'unknown_registry' }));
  });

  it('a name that is not of the form [registry, name]', () => {
    assert.throws(
      () => Registry.whereisName(all.a, 'x' as never),
      coded({ code: 'badarg', says: /expected \[registry, name\], got/ }),
    );
  });

  it('a name that is not registered', async () => {
    const { a, ra } = all;
    assert.equal(ra.whereis('nobody'), undefined);
    assert.throws(() => ra.send('nobody', 'hello'), coded({ code: 'badarg', says: /nobody/ }));
    assert.throws(() => a.send(ra.via('nobody'), 'hello'), coded({ code: 'badarg' }));
    await assert.rejects(a.call(ra.address(Counter, 'nobody'), 'increment', 1), coded({ code: 'noproc' }));
  });

  it('a value that cannot be a name', async () => {
    const { a, ra } = all;
    for (const name of [() => 1, Symbol('x'), 'x'.repeat(2_000), new WeakMap(), Number.NaN]) {
      // Any text may be looked up; what cannot be registered is never found.
      if (typeof name === 'string') assert.equal(ra.whereis(name), undefined);
      else assert.throws(() => ra.whereis(name), coded({ code: 'bad_name' }));
      await assert.rejects(ra.register(name, spawnIdle(a)), coded({ code: 'bad_name' }));
    }
  });

  it('something that is no pid, and pids of the dead', async () => {
    const { a, ra } = all;
    await assert.rejects(
      ra.register('x', 'pid' as never),
      coded({ code: 'badarg', says: /expected a pid, got/ }),
    );
    const dead = spawnIdle(a);
    a.runtime.exit(dead, atom('kill'));
    await assert.rejects(ra.register('x', dead), coded({ code: 'noproc' }));
    await assert.rejects(Registry.registerName(a, ['games', 'x'], dead), coded({ code: 'noproc' }));
  });

  it('a pid of a node that is gone', async () => {
    const { cluster, ra } = all;
    const gone = await cluster.add('gone');
    const pid = spawnIdle(gone);
    await gone.close();
    await assert.rejects(
      ra.register('of-the-gone', pid, { timeoutMs: 3_000 }),
      coded({ code: 'noconnection' }),
    );
    assert.equal(await ra.whereisConsistent('of-the-gone'), undefined);
  });

  it('wrong options', async () => {
    const { a } = all;
    await assert.rejects(
      a.registry('other', { leaseMs: 1 }),
      coded({ code: 'bad_option', says: /leaseMs.*expected.*got 1/ }),
    );
    await assert.rejects(
      a.registry('other', { lease: 1_000 } as never),
      coded({ code: 'bad_option', says: /lease.*expected/ }),
    );
    await assert.rejects(all.ra.whereisConsistent('x', { timeoutMs: -1 }), coded({ code: 'bad_option' }));
    await assert.rejects(
      Node.start({ name: 'no spaces', store: 'memory:x' }),
      coded({ code: 'bad_option', says: /node name/ }),
    );
    await assert.rejects(
      Node.start({ name: 'c', store: 'memory:x', lisen: {} } as never),
      coded({ code: 'bad_option', says: /lisen/ }),
    );
    await assert.rejects(
      Node.start({ name: 'c', store: 'redis://x' }),
      coded({ code: 'bad_option', says: /sqlite:PATH/ }),
    );
    await assert.rejects(Registry.startLink(a, 'x', {} as never), coded({ code: 'badarg', says: /tenant/ }));
  });

  it('a second registry of one name on one node', async () => {
    await assert.rejects(all.a.registry('games', fast), coded({ code: 'duplicate_registry', says: /games/ }));
    assert.ok(all.ra.status().phase === 'active');
  });

  it('a node name that is alive, in the same store', async () => {
    await assert.rejects(
      Node.start({ name: 'a', store: all.cluster.store }),
      coded({ code: 'name_clash', says: /a@127/ }),
    );
  });

  it('listening beyond loopback without a cookie', async () => {
    const options = { name: 'open', store: all.cluster.store, listen: { host: '0.0.0.0' } };
    await assert.rejects(Node.start(options), coded({ code: 'insecure_listen' }));
  });

  it('a store that cannot be opened, is not ours, or is of a newer format', async () => {
    const host = nodeHost();
    await assert.rejects(
      storeAt(`sqlite:${join(folder, 'no', 'such', 'dir.db')}`, host),
      coded({ code: 'store_fatal' }),
    );
    await writeFile(join(folder, 'text.db'), 'this is no database, whatever its name says. '.repeat(100));
    await assert.rejects(
      Node.start({ name: 'c', store: `sqlite:${join(folder, 'text.db')}` }),
      coded({ code: 'store_not_ours' }),
    );
    const newer = new MemoryDatabase(host);
    const backend = newer.connect();
    const tx = await backend.begin({ timeoutMs: 1_000 });
    const key = Uint8Array.of(0, ...new TextEncoder().encode('format'));
    await tx.commit({ reads: [], writes: [{ type: 'set', key, value: new TextEncoder().encode('dgen 9') }] });
    await assert.rejects(
      openStore(newer.connect(), { host }),
      coded({ code: 'store_format', says: /expected.*1.*got 9/ }),
    );
  });

  it('a peer with a wrong cookie', async () => {
    const { a, b, cluster } = all;
    const stranger = await Node.start({ name: 'stranger', store: cluster.store, cookie: 'wrong' });
    try {
      assert.equal(await stranger.connect(a.name), false);
      assert.ok(!a.nodes().includes(stranger.name));
      const target = { name: atom('games'), node: b.runtime.name };
      await assert.rejects(
        stranger.runtime.call(target, 'x', { timeoutMs: 2_000 }),
        coded({ code: 'noconnection' }),
      );
    } finally {
      await stranger.close();
    }
    await alive();
  });

  it('garbage on the port', async () => {
    const address = all.a.address;
    assert.ok(address !== null);
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.alloc(70_000, 0xff),
      Buffer.of(0, 0),
      Buffer.from([0xff, 0xff, 1, 2, 3]),
    ]) {
      const socket = connect(address.port, address.host);
      socket.on('error', () => socket.destroy());
      await new Promise((resolve) => socket.once('connect', resolve));
      socket.write(bytes);
      if (bytes.length > 2) await new Promise((resolve) => socket.once('close', resolve));
      socket.destroy();
    }
    await alive();
  });

  it('a message that cannot be encoded', async () => {
    const { a, b, ra } = all;
    const counter = await b.start(Counter, 0);
    await assert.rejects(
      a.runtime.call(counter, { f: () => 1 }),
      coded({ code: 'not_encodable', says: /f/ }),
    );
    assert.throws(() => a.send(counter, Symbol('x')), coded({ code: 'not_encodable' }));
    await assert.rejects(
      ra.register('meta', spawnIdle(a), { metadata: { f: () => 1 } }),
      coded({ code: 'not_encodable' }),
    );
    assert.equal(await a.call(counter, 'increment', 1), 1);
  });

  it('a call that outlives its deadline, and its late answer', async () => {
    const { a, b } = all;
    const counter = await b.start(Counter, 0);
    await assert.rejects(a.call(counter, 'slow', 60, within(20)), coded({ code: 'timeout' }));
    assert.equal(await a.call(counter, 'increment', 1), 1);
  });

  it('a request that the server does not know', async () => {
    const counter = await all.b.start(Counter, 0);
    await assert.rejects(
      all.a.runtime.call(counter, atom('decrement')),
      coded({ code: 'unknown_request', says: /increment/ }),
    );
    assert.equal(await all.a.call(counter, 'increment', 1), 1);
  });

  it('an abort before and during a wait', async () => {
    const { a, b, ra, rb } = all;
    const gone = AbortSignal.abort();
    const nothingDone = coded({ code: 'aborted', maybeExecuted: false });
    await assert.rejects(ra.register('aborted', spawnIdle(a), { signal: gone }), nothingDone);
    assert.equal(await ra.whereisConsistent('aborted'), undefined);
    await assert.rejects(rb.whereisConsistent('aborted', { signal: gone }), nothingDone);
    const during = new AbortController();
    const waiting = rb.register('aborted', spawnIdle(b), { signal: during.signal });
    during.abort();
    await assert.rejects(waiting, nothingDone);
    assert.equal(await rb.whereisConsistent('aborted'), undefined);
  });

  it('use after close', async () => {
    const { cluster } = all;
    const c = await cluster.add('c');
    const rc = await c.registry('games', fast);
    const pid = spawnIdle(c);
    await rc.close();
    await rc.close();
    await assert.rejects(rc.register('late', pid), coded({ code: 'closed' }));
    assert.throws(() => Registry.whereisName(c, ['games', 'x']), coded({ code: 'unknown_registry' }));
    await c.close();
    await c.close();
    await alive();
  });
});
