// The nodes of a run: each place has a name, a machine, and at any time at most one life in which a real `Node` runs, put
// together over the simulated host, transport and store. Boots, crashes, closes, pauses.

import { DGenError } from '../../errors/error.ts';
import type { Log } from '../../host/ports.ts';
import { composeNode } from '../../node/compose.ts';
import { Node } from '../../node/node.ts';
import type { Registry } from '../../registry/index.ts';
import { MemoryDatabase, openStore, type Store } from '../../storage/index.ts';
import { createDraw, type Draw } from '../draw.ts';
import { type Desk, expectedErrors, startApp } from './app.ts';
import type { Clients } from './clients.ts';
import type { Ledger } from './ledger.ts';
import { Life } from './life.ts';
import type { Net } from './net.ts';
import type { WholeOptions } from './options.ts';
import { backendOf, type StoreFaults } from './store-client.ts';
import type { Story } from './story.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { Watch } from './watch.ts';
import type { Witness } from './witness.ts';

const registryName = 'names';
const cookie = 'secret of the simulation';
/** A close waits for drain, grace, and last words, one after the other; and for the store. */
const closeWithinMs = 16_000;

export interface Place {
  readonly name: string;
  readonly host: string;
  readonly machineId: string;
  life: Life | undefined;
  /** Once the application runs. */
  desk: Desk | undefined;
  store: Store | undefined;
  closing: Promise<void> | undefined;
}

export interface PlacesOptions {
  readonly options: WholeOptions;
  readonly time: VirtualTime;
  readonly story: Story;
  readonly watch: Watch;
  readonly net: Net;
  readonly storeFaults: StoreFaults;
  readonly witness: Witness;
  readonly ledger: Ledger;
}

export class Places {
  readonly all: readonly Place[];
  readonly #parts: PlacesOptions;
  readonly #database: MemoryDatabase;
  readonly #draw: Draw;
  /** Set before the first boot. */
  clients!: Clients;

  constructor(parts: PlacesOptions) {
    const { options, time } = parts;
    this.#parts = parts;
    this.#draw = createDraw(options.seed, 21);
    const after = (delay: number, run: () => void) => time.after(delay, run);
    const timers = { after, defer: (run: () => void) => void time.after(0, run) };
    this.#database = new MemoryDatabase({ clock: { now: () => time.now }, timers });
    this.all = Array.from({ length: options.nodes }, (_, index) => ({
      name: 'ABCD'.charAt(index),
      host: options.oneMachine ? '127.0.0.1' : `10.0.0.${index + 1}`,
      machineId: options.oneMachine ? 'machine' : `machine ${index}`,
      life: undefined,
      desk: undefined,
      store: undefined,
      closing: undefined,
    }));
  }

  /** Applications that run and are not being closed. */
  get desks(): Desk[] {
    return this.all.flatMap(({ life, desk, closing }) =>
      desk !== undefined && life?.alive === true && closing === undefined ? [desk] : [],
    );
  }

  boot(place: Place): void {
    if (place.life?.alive === true) return;
    this.#parts.net.off.delete(place.name);
    const life = this.#newLife(place.name);
    place.life = life;
    this.#note(place, 'boots');
    // In a turn of its own, as everything that a node does.
    life.soon(() => {
      this.#run(place, life).catch((error: unknown) => this.#unexpected(place, 'boot', error));
    });
  }

  /** The program is gone; with `powerOff` the machine, too. */
  crash(place: Place, powerOff = false): void {
    if (place.life?.alive !== true) return;
    this.#note(place, powerOff ? 'loses power' : 'crashes');
    if (powerOff) this.#parts.net.off.add(place.name);
    this.#end(place);
  }

  pause(place: Place): void {
    if (place.life?.runs !== true) return;
    this.#note(place, 'stands still');
    place.life.pause();
  }

  resume(place: Place): void {
    if (place.life?.alive !== true || place.life.pausedAt === undefined) return;
    this.#note(place, 'goes on');
    place.life.resume();
  }

  /** Leaves in good order, then the program ends. Resolves when it has; never when it crashes meanwhile. */
  close(place: Place): Promise<void> {
    const { life, desk } = place;
    if (life === undefined || desk === undefined) return Promise.resolve();
    place.closing ??= this.#close(place, life, desk);
    return place.closing;
  }

  /** The program ends. */
  end(place: Place): void {
    this.#note(place, 'ends');
    this.#end(place);
  }

  async #close(place: Place, life: Life, desk: Desk): Promise<void> {
    desk.closing = true;
    this.#note(place, 'closes');
    const what = { label: 'close', timeoutMs: closeWithinMs };
    await this.#parts.ledger.track(life, what, async () => {
      await desk.node.close();
      await place.store?.close();
    });
    this.#note(place, 'closed');
  }

  #end(place: Place): void {
    const { life } = place;
    place.life = undefined;
    place.desk = undefined;
    place.store = undefined;
    place.closing = undefined;
    life?.die();
  }

  async #run(place: Place, life: Life): Promise<void> {
    const node = await this.#persist(place, 'node', () => this.#startNode(place, life));
    const registry = await this.#persist(place, 'registry', () =>
      node.registry(registryName, this.#parts.options.registry),
    );
    const { watch, witness, ledger, options } = this.#parts;
    const desk: Desk = {
      life,
      node,
      registry,
      runtime: node.runtime,
      witness,
      ledger,
      watch,
      restart: options.restart,
      closing: false,
      sessionMsLeft: () => sessionMsLeft(registry),
    };
    await startApp(desk);
    place.desk = desk;
    this.#note(place, 'serves');
    this.clients.serve(desk);
  }

  async #startNode(place: Place, life: Life): Promise<Node> {
    const { net, storeFaults, options } = this.#parts;
    const backend = backendOf(this.#database, life, storeFaults.sourceFor(place.name));
    const store = await openStore(backend, { host: life.host });
    place.store = store;
    try {
      const name = `${place.name}@${place.host}`;
      const listen = { host: place.host };
      const world = {
        host: life.host,
        machineId: place.machineId,
        transport: net.transportOf(life),
        limits: {
          netTickMs: options.netTickMs,
          connectTimeoutMs: options.connectMs,
          handshakeTimeoutMs: options.connectMs,
        },
      };
      return new Node(await composeNode({ name, store, listen, cookie }, world));
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Tries again while the store, or the other members, do not let it. */
  async #persist<T>(place: Place, what: string, start: () => Promise<T>): Promise<T> {
    const { timers } = (place.life as Life).host;
    for (;;) {
      try {
        return await start();
      } catch (error) {
        if (!(error instanceof DGenError) || !bootMayFailWith.has(error.code)) throw error;
        this.#note(place, `${what} does not start: ${error.message}`);
      }
      await new Promise<void>((resolve) => timers.after(this.#draw.between(50, 400), resolve));
    }
  }

  #newLife(node: string): Life {
    const { options, time, story, watch } = this.#parts;
    const bound = options.registry.clockRateBound * 0.999;
    const within = (this.#draw.below(2001) - 1000) / 1000;
    const rate = 1 + bound * (options.extremeClocks ? Math.sign(within) || 1 : within);
    const onLog = (level: keyof Log, fields: object, message: string): void =>
      this.#onLog(node, { level, fields, message });
    const onGhost = (what: string): void => watch.broken('quiet', `${node} is dead and ${what}`);
    return new Life({
      node,
      time,
      story,
      draw: this.#draw,
      rate,
      latenessMs: options.timersLateMs,
      onLog,
      onGhost,
    });
  }

  #onLog(node: string, line: { level: keyof Log; fields: object; message: string }): void {
    const { level, fields, message } = line;
    if (level === 'debug') return;
    const { story, time, watch } = this.#parts;
    const text = `${message} ${tellFields(fields)}`;
    story.note(time.now, node, `${level}: ${text}`);
    const isExpected = expectedErrors.some((known) => text.includes(known));
    if (level === 'error' && !isExpected) watch.broken('quiet', `${node} logs ${text}`);
  }

  #unexpected(place: Place, what: string, error: unknown): void {
    this.#parts.watch.broken('quiet', `${place.name}: ${what}: ${(error as Error).stack}`);
  }

  #note(place: Place, text: string): void {
    this.#parts.story.note(this.#parts.time.now, place.name, `** ${text}`);
  }
}

const bootMayFailWith: ReadonlySet<string> = new Set([
  'store_unavailable',
  'store_commit_unknown',
  'store_conflict',
  'timeout',
  'unavailable',
  // An earlier attempt of the same place, whose outcome nobody knew.
  'name_clash',
]);

function sessionMsLeft(registry: Registry): number {
  try {
    return registry.status().sessionMsLeft ?? 0;
  } catch {
    // Closed.
    return 0;
  }
}

function tellFields(fields: object): string {
  return Object.entries(fields)
    .map(([key, value]) => `${key}=${value instanceof Error ? value.message : String(value)}`)
    .join(' ');
}
