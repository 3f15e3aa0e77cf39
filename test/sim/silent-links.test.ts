// Links over wires that are cut without a word, as TCP sees it: nothing is lost, and nothing passes for about as long again.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { createDistribution, type Distribution } from '../../src/distribution/index.ts';
import { createRuntime, type Inbound, isCallMessage, type LocalRuntime } from '../../src/process/index.ts';
import { createDraw } from '../../src/sim/draw.ts';
import { Life } from '../../src/sim/whole/life.ts';
import { Net } from '../../src/sim/whole/net.ts';
import { Story } from '../../src/sim/whole/story.ts';
import { VirtualTime } from '../../src/sim/whole/virtual-time.ts';
import { Wires, type WireWeather } from '../../src/sim/whole/wires.ts';
import { atom, type Pid } from '../../src/term/index.ts';

const deadline = { timeout: 60_000 };
const silenceMs = 2_000;

interface SimNode {
  readonly life: Life;
  readonly runtime: LocalRuntime;
  readonly distribution: Distribution;
  /** When a link was lost. */
  readonly losses: number[];
  /** Answers calls, and nothing else. */
  readonly echo: Pid;
}

interface Pair {
  readonly time: VirtualTime;
  readonly wires: Wires;
  readonly a: SimNode;
  readonly b: SimNode;
}

interface PairOptions {
  readonly silenceMs?: number;
  readonly weather?: Partial<WireWeather>;
  readonly windowBytes?: number;
  /** Whether b takes private frames; default true. */
  readonly compact?: boolean;
}

const open: { readonly time: VirtualTime; readonly nodes: readonly SimNode[] }[] = [];

afterEach(async () => {
  for (const { time, nodes } of open.splice(0)) {
    const closing = Promise.all(nodes.map(({ distribution }) => distribution.close()));
    await time.runUntil(time.now + 5_000);
    await closing;
    for (const { life } of nodes) life.die();
  }
});

async function pairOf(options: PairOptions = {}): Promise<Pair> {
  const time = new VirtualTime();
  const draw = createDraw(1, 1);
  const weather = { delayMinMs: 1, delayMaxMs: 2, spikePerMille: 0, spikeMs: 0, piecesPerMille: 0 };
  const wires = new Wires(time, draw, { ...weather, ...options.weather });
  const story = new Story();
  const net = new Net({ wires, draw, story, windowBytes: options.windowBytes ?? 64_000 });
  const addresses = new Map<string, { host: string; port: number }>();
  const start = async (name: string, compact = true): Promise<SimNode> => {
    const onGhost = (what: string): void => assert.fail(`${name} is dead and ${what}`);
    const log = (): void => undefined;
    const life = new Life({ node: name, time, story, draw, rate: 1, latenessMs: 0, onLog: log, onGhost });
    const runtime = createRuntime({ name: atom(name), creation: 1, host: life.host });
    const distribution = createDistribution({
      name: runtime.name,
      creation: 1,
      cookie: 'c',
      host: life.host,
      inbound: compact ? runtime.inbound : withoutChannels(runtime.inbound),
      transport: net.transportOf(life),
      resolve: async (node) => [addresses.get(node.name) ?? { host: 'nowhere', port: 1 }],
      silenceMs: () => options.silenceMs ?? silenceMs,
    });
    runtime.attach(distribution);
    const losses: number[] = [];
    distribution.onNodeDown(() => losses.push(time.now));
    const echo = runtime.spawnBehaviour({
      handle: (message) => {
        if (isCallMessage(message)) runtime.reply(message.from, message.request);
      },
    });
    void distribution.listen({ host: `10.0.0.${name}` }).then((address) => addresses.set(name, address));
    await time.runUntil(time.now + 10);
    return { life, runtime, distribution, losses, echo };
  };
  const [a, b] = [await start('a@t'), await start('b@t', options.compact)];
  open.push({ time, nodes: [a, b] });
  assert.equal(await done(time, a.distribution.connect(b.runtime.name)), true);
  return { time, wires, a, b };
}

/** As that of a node of old. */
function withoutChannels(inbound: Inbound): Inbound {
  return new Proxy(inbound, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (key === 'calls') return undefined;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

async function done<T>(time: VirtualTime, work: Promise<T>): Promise<T | undefined> {
  let result: T | undefined;
  let over = false;
  void work.then((value) => {
    result = value;
    over = true;
  });
  await time.runUntil(time.now + 60_000, () => over);
  await time.runUntil(time.now);
  return result;
}

/** Somebody on `from` asks somebody on `to` again and again; the last element is when an answer came last. */
function keepCalling(time: VirtualTime, from: SimNode, to: SimNode): { answeredAt: number; over: boolean } {
  const asking = { answeredAt: time.now, over: false };
  const ask = (): void => {
    if (asking.over) return;
    from.life.host.timers.after(200, ask);
    from.runtime.call(to.echo, 1, { timeoutMs: 60_000 }).then(
      () => {
        asking.answeredAt = time.now;
      },
      () => undefined,
    );
  };
  ask();
  return asking;
}

function setCut({ wires }: Pair, cut: boolean): void {
  for (const [from, to] of [
    ['a@t', 'b@t'],
    ['b@t', 'a@t'],
  ] as const) {
    if (cut) wires.cut(from, to);
    else wires.heal(from, to);
  }
}

/** How long after a cut calls are answered again; and when links were lost, counted from the cut. */
async function afterCutOf(
  ms: number,
  options: PairOptions = {},
): Promise<{ againMs: number; losses: number[] }> {
  const pair = await pairOf(options);
  const { time, a, b } = pair;
  const asking = [keepCalling(time, a, b), keepCalling(time, b, a)];
  await time.runUntil(time.now + 1_000);
  const cutAt = time.now;
  setCut(pair, true);
  await time.runUntil(cutAt + ms);
  setCut(pair, false);
  const healedAt = time.now;
  await time.runUntil(healedAt + 40_000, () => asking.every(({ answeredAt }) => answeredAt > healedAt));
  const againMs = time.now - healedAt;
  for (const one of asking) one.over = true;
  return { againMs, losses: [...a.losses, ...b.losses].map((at) => at - cutAt) };
}

test('after a long cut two nodes talk again as soon as one has knocked', deadline, async () => {
  const { againMs, losses } = await afterCutOf(30_000);
  assert.ok(againMs < 2_500, `${againMs} ms`);
  // Not before the other was silent for as long as it may be.
  assert.ok(Math.min(...losses) > silenceMs && Math.min(...losses) < 1.25 * silenceMs, losses.join());
});

test('what the kernel alone would make of that', deadline, async () => {
  const { againMs, losses } = await afterCutOf(28_000, { silenceMs: Number.POSITIVE_INFINITY });
  assert.ok(againMs > 5_000, `${againMs} ms`);
  assert.deepEqual(losses, []);
});

test('a cut shorter than the limit costs no link', deadline, async () => {
  const { againMs, losses } = await afterCutOf(900);
  assert.ok(againMs < 1_000, `${againMs} ms`);
  assert.deepEqual(losses, []);
});

test('a peer that only takes, and two that have nothing to say, keep their link', deadline, async () => {
  const { time, a, b } = await pairOf();
  await time.runUntil(time.now + 20_000);
  for (let count = 0; count < 100; count++) {
    a.runtime.send(b.echo, count);
    await time.runUntil(time.now + 200);
  }
  assert.deepEqual([...a.losses, ...b.losses], []);
});

test('a peer that takes what is sent, however slowly, keeps its link', deadline, async () => {
  const slow = { weather: { delayMinMs: 900, delayMaxMs: 1_000 }, windowBytes: 1_000 };
  const { time, a, b } = await pairOf(slow);
  for (let count = 0; count < 12; count++) a.runtime.send(b.echo, 'x'.repeat(60_000));
  // The question whether it lives has to wait behind all of that.
  await time.runUntil(time.now + 15_000);
  assert.deepEqual([...a.losses, ...b.losses], []);
});

test(
  'a peer that stands still keeps its link for as long as it may be silent, and no longer',
  deadline,
  async () => {
    const { time, a, b } = await pairOf();
    const asking = keepCalling(time, a, b);
    await time.runUntil(time.now + 1_000);
    b.life.pause();
    await time.runUntil(time.now + 0.9 * silenceMs);
    b.life.resume();
    await time.runUntil(time.now + 1_000);
    assert.deepEqual(a.losses, []);
    const pausedAt = time.now;
    b.life.pause();
    await time.runUntil(time.now + 2 * silenceMs);
    assert.equal(a.losses.length, 1);
    assert.ok(Math.min(...a.losses) - pausedAt > silenceMs);
    b.life.resume();
    const resumedAt = time.now;
    await time.runUntil(time.now + 3_000);
    assert.ok(asking.answeredAt > resumedAt + 1_000, 'and then it is called again');
    asking.over = true;
  },
);

test('whoever stood still itself blames nobody', deadline, async () => {
  const { time, a, b } = await pairOf();
  const asking = keepCalling(time, a, b);
  await time.runUntil(time.now + 1_000);
  for (let pause = 0; pause < 5; pause++) {
    a.life.pause();
    await time.runUntil(time.now + 0.9 * silenceMs);
    a.life.resume();
    await time.runUntil(time.now + 1_000);
  }
  a.life.pause();
  await time.runUntil(time.now + 20_000);
  a.life.resume();
  await time.runUntil(time.now + 500);
  assert.deepEqual(a.losses, []);
  asking.over = true;
});

test(
  'a peer that is not asked because it takes no private frames is left to the net tick',
  deadline,
  async () => {
    const { losses } = await afterCutOf(20_000, { compact: false });
    assert.deepEqual(losses, []);
  },
);
