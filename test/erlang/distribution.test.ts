// Against a real Erlang node: both roles of the handshake, calls both ways, monitors, links, exits, and the loss of
// either side.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { hasCode } from '../../src/errors/error.ts';
import { isDownMessage, isExitMessage, type Process } from '../../src/process/index.ts';
import { atom, float, type Pid, type Tuple, tuple } from '../../src/term/index.ts';
import { ErlangPair, echo, erlangNode, ownNode, skipReason } from './erlang-node.ts';

const skip = skipReason();
if (skip !== false) console.log(`# skipped: ${skip}`);

describe('a real Erlang node', { skip, timeout: 60_000 }, () => {
  let pair: ErlangPair;
  before(async () => {
    pair = await ErlangPair.start({ netTickMs: 4_000 });
  });
  after(() => pair?.close());

  const call = (request: unknown): Promise<unknown> => pair.runtime.call(echo, request);
  const ask = (operation: string, ...rest: unknown[]): Promise<unknown> =>
    call(tuple(atom(operation), ...rest));
  const me = { name: atom('echo'), node: ownNode };

  /** What the Erlang server has received since the last time; waits for at least one thing. */
  async function seen(): Promise<Tuple[]> {
    for (let round = 0; round < 100; round++) {
      const list = (await call(atom('seen'))) as Tuple[];
      if (list.length > 0) return list;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return assert.fail('nothing arrived');
  }

  test('we dial: values go there and back as the table of the documentation says', async () => {
    const values = [
      'text',
      5,
      -1e12,
      2.5,
      true,
      null,
      undefined,
      [1, 'a', []],
      { a: 1, b: [2] },
      tuple(1, atom('x')),
    ];
    for (const value of values) assert.deepEqual(await ask('echo', value), value);
    assert.equal(pair.distribution.connectedNodes()[0]?.kind, 'erlang');
    assert.equal(
      await ask('describe', ['text', 5, null, { key: float(1) }]),
      '[<<"text">>,5,nil,#{<<"key">> => 1.0}]',
    );
    assert.deepEqual(await call(atom('nodes')), tuple([], [ownNode]), 'we are connected, and hidden');
  });

  test('what Erlang cannot hold throws here and costs nothing', async () => {
    await assert.rejects(ask('echo', Number.NaN), (error) => hasCode(error, 'not_encodable'));
    assert.equal(await ask('echo', 'still connected'), 'still connected');
  });

  test('Erlang calls us, pings us, and is told that we spawn nothing', async () => {
    assert.deepEqual(await ask('call', tuple(me.name, me.node), { q: 1 }), tuple(atom('ok'), { q: 1 }));
    assert.equal(await ask('ping', ownNode), atom('pong'));
    const started = performance.now();
    const outcome = (await ask('rpc', ownNode)) as Tuple;
    assert.match(String(await ask('describe', outcome)), /badrpc/);
    assert.ok(performance.now() - started < 2_000, 'at once, not by a time-out');
    const nobody = (await ask('call', tuple(atom('nobody'), ownNode), 1)) as Tuple;
    assert.match(String(await ask('describe', nobody)), /error,\{noproc/);
  });

  test('a megabyte each way', async () => {
    const text = 'x'.repeat(1_000_000);
    assert.equal(await ask('echo', text), text);
  });

  test('many calls at once', async () => {
    const calls = Array.from({ length: 500 }, (_, index) => ask('echo', index));
    assert.deepEqual(
      await Promise.all(calls),
      Array.from({ length: 500 }, (_, index) => index),
    );
  });

  test('monitors: an Erlang process ends, one of ours ends, nothing was there', async () => {
    const victim = (await call(atom('victim'))) as Pid;
    const down = downOf(victim);
    pair.runtime.send(victim, tuple(atom('stop'), 'enough'));
    assert.equal(await down, 'enough');
    assert.equal(await downOf(victim), atom('noproc'));
    const ours = pair.runtime.spawnBehaviour({ handle() {} });
    await ask('monitor', ours);
    await ask('monitor', tuple(atom('nobody'), ownNode));
    pair.runtime.exit(ours, 'because');
    const reasons: unknown[] = [];
    while (reasons.length < 2) for (const message of await seen()) reasons.push(message.elements[4]);
    assert.deepEqual(new Set(reasons), new Set([atom('noproc'), 'because']));
  });

  test('links and exits, both ways', async () => {
    const ours = pair.runtime.spawnBehaviour({ handle() {} });
    await ask('link', ours);
    pair.runtime.exit(ours, 'linked');
    const [exit] = await seen();
    assert.deepEqual(exit, tuple(atom('EXIT'), ours, 'linked'));
    const other = pair.runtime.spawnBehaviour({ handle() {} });
    await ask('link', other);
    await ask('unlink', other);
    await ask('exit', other, atom('normal'));
    assert.equal(pair.runtime.isAlive(other), true);
    const down = pair.runtime.whenDown(other);
    await ask('exit', other, atom('kill'));
    assert.equal(await down, atom('killed'));
    const victim = (await call(atom('victim'))) as Pid;
    const trapped = inProcess(async (self) => {
      self.trapExit(true);
      self.link(victim);
      self.send(victim, tuple(atom('stop'), 'bye'));
      const message = await self.receive(isExitMessage);
      return (message as { reason: unknown }).reason;
    });
    assert.equal(await trapped, 'bye');
  });

  test('an idle connection is kept beyond the net tick of the other side', async () => {
    let downs = 0;
    const stop = pair.distribution.onNodeDown(() => {
      downs += 1;
    });
    // Longer than the 4 s that the Erlang node was started with.
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    stop();
    assert.equal(downs, 0);
  });

  test('the connection is lost: both sides hear noconnection; a new start of our node is welcome', async () => {
    const ours = pair.runtime.spawnBehaviour({ handle() {} });
    await ask('monitor', ours);
    const victim = (await call(atom('victim'))) as Pid;
    const down = downOf(victim);
    await ask('echo', 'the monitor is set');
    pair.distribution.disconnect(erlangNode);
    assert.equal(await down, atom('noconnection'));
    assert.equal((await seen())[0]?.elements[4], atom('noconnection'));
    await pair.stopOwn();
    await pair.startOwn(2, { netTickMs: 4_000 });
    assert.equal(await ask('ping', ownNode), atom('pong'));
  });

  test('Erlang dials us', async () => {
    await ask('ping_in', 200, ownNode);
    pair.distribution.disconnect(erlangNode);
    const up = await new Promise<{ kind: string }>((resolve) => pair.distribution.onNodeUp(resolve));
    assert.equal(up.kind, 'erlang');
    assert.deepEqual(await seen(), [tuple(atom('pinged'), atom('pong'))]);
  });

  test('both dial at about the same time: every call is answered', async () => {
    for (let round = 0; round < 20; round++) {
      await ask('ping_in', 20, ownNode);
      pair.distribution.disconnect(erlangNode);
      await new Promise((resolve) => setTimeout(resolve, 18 + (round % 5)));
      assert.equal(await ask('echo', round), round);
      assert.deepEqual(await seen(), [tuple(atom('pinged'), atom('pong'))], `round ${round}`);
    }
  });

  test('kill -9 of the Erlang node is noticed at once; its next start can be called', async () => {
    const victim = (await call(atom('victim'))) as Pid;
    const down = downOf(victim);
    await ask('echo', 'the monitor is set');
    const before = performance.now();
    await pair.killBeam();
    assert.equal(await down, atom('noconnection'));
    assert.ok(performance.now() - before < 1_000);
    await pair.startBeam();
    assert.equal(await ask('echo', 'again'), 'again');
    assert.equal(await downOf(victim), atom('noproc'), 'the process of the former start is dead');
  });

  function downOf(pid: Pid): Promise<unknown> {
    return inProcess(async (self) => {
      self.monitor(pid);
      const message = await self.receive(isDownMessage);
      return (message as { reason: unknown }).reason;
    });
  }

  function inProcess<T>(main: (self: Process) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      pair.runtime.spawn((self) => main(self).then(resolve, reject));
    });
  }
});
