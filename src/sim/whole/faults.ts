// What goes wrong, and when. Each fault begins at a drawn moment, lasts a drawn time and heals itself; several overlap. After
// `heal` nothing goes wrong any more, and what was down comes up again.
import { createDraw, type Draw } from '../draw.ts';
import type { Net } from './net.ts';
import type { FaultKind, WholeOptions } from './options.ts';
import type { Place, Places } from './places.ts';
import type { Mood, StoreFaults } from './store-client.ts';
import type { Story } from './story.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface FaultsOptions {
  readonly options: WholeOptions;
  readonly time: VirtualTime;
  readonly story: Story;
  readonly net: Net;
  readonly places: Places;
  readonly store: StoreFaults;
}

type Pair = readonly [from: string, to: string];

export class Faults {
  readonly counts: Map<string, number> = new Map();
  readonly #parts: FaultsOptions;
  readonly #draw: Draw;
  #healed = false;

  constructor(parts: FaultsOptions) {
    this.#parts = parts;
    this.#draw = createDraw(parts.options.seed, 22);
  }

  begin(): void {
    const { places, time, options } = this.#parts;
    for (const place of places.all) time.after(this.#draw.below(300), () => places.boot(place));
    if (options.faults.length > 0) this.#plan(1_500);
  }

  heal(): void {
    this.#healed = true;
    const { net, store, places } = this.#parts;
    this.#note('everything heals');
    net.wires.healAll();
    net.wires.weather.spikePerMille = 0;
    net.refusing.clear();
    store.moods.clear();
    store.weather.troublePerMille = 0;
    for (const place of places.all) {
      places.resume(place);
      places.boot(place);
    }
  }

  #plan(delay: number): void {
    const { time, options } = this.#parts;
    time.after(delay, () => {
      if (this.#healed) return;
      this.#strike(this.#draw.pick(options.faults));
      this.#plan(this.#draw.between(50, options.faultEveryMs));
    });
  }

  #strike(kind: FaultKind): void {
    const { places, options } = this.#parts;
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const place = this.#victim();
    const other = this.#draw.pick(places.all);
    const lasts = this.#draw.between(20, options.faultLastsMs);
    switch (kind) {
      case 'crash':
      case 'powerOff':
        places.crash(place, kind === 'powerOff');
        this.#mayComeBack(place, this.#draw.between(5, 2_500));
        break;
      case 'close':
        this.#close(place);
        break;
      case 'pause':
        this.#pause(place, lasts);
        break;
      case 'stall':
      case 'reset':
        this.#disturb(kind, lasts);
        break;
      case 'refuse':
        this.#refuse(place, other, lasts);
        break;
      case 'storeOutage':
      case 'storeCut':
        this.#cutStore(kind === 'storeCut' ? place.name : '*', lasts);
        break;
      default:
        this.#cut(this.#pairs(kind, place, other), lasts);
    }
  }

  #pairs(kind: 'partition' | 'isolate' | 'oneWay', place: Place, other: Place): Pair[] {
    if (kind === 'partition') return this.#pairsOfSides();
    if (kind === 'isolate') return this.#pairsOf(place);
    return place === other ? [] : [[place.name, other.name]];
  }

  /** Often the leader. */
  #victim(): Place {
    const { places } = this.#parts;
    const [leader] = places.desks.map(({ registry }) => registry.getLeader()?.[0]);
    const found = places.all.find(({ desk }) => desk?.node.name === leader);
    return found !== undefined && this.#draw.chance(400) ? found : this.#draw.pick(places.all);
  }

  #mayComeBack(place: Place, delay: number): void {
    const { time, places, options } = this.#parts;
    if (!this.#draw.chance(options.restartPerMille)) return;
    time.after(delay, () => {
      if (!this.#healed) places.boot(place);
    });
  }

  #close(place: Place): void {
    const { places, time } = this.#parts;
    const { life, desk } = place;
    if (life === undefined || desk === undefined || !life.runs) return;
    life.enter(() => {
      void places.close(place).then(() => {
        // The program ends when nothing of it has anything more to do in this turn.
        time.after(1, () => {
          if (place.life !== life) return;
          places.end(place);
          if (this.#healed) places.boot(place);
          else this.#mayComeBack(place, this.#draw.between(5, 2_000));
        });
      });
    });
  }

  #pause(place: Place, lasts: number): void {
    const { places, time } = this.#parts;
    const { life } = place;
    places.pause(place);
    time.after(lasts, () => {
      if (place.life === life) places.resume(place);
    });
  }

  #cut(pairs: readonly Pair[], lasts: number): void {
    const { net, time } = this.#parts;
    if (pairs.length === 0) return;
    this.#note(`cut ${tellPairs(pairs)} for ${lasts}`);
    for (const [from, to] of pairs) net.wires.cut(from, to);
    time.after(lasts, () => {
      if (this.#healed) return;
      this.#note(`whole again ${tellPairs(pairs)}`);
      for (const [from, to] of pairs) net.wires.heal(from, to);
    });
  }

  #pairsOf(place: Place): Pair[] {
    const others = this.#parts.places.all.filter((one) => one !== place);
    return others.flatMap(({ name }): Pair[] => [
      [place.name, name],
      [name, place.name],
    ]);
  }

  #pairsOfSides(): Pair[] {
    const { all } = this.#parts.places;
    const side = new Map(all.map((place) => [place, this.#draw.chance(500)]));
    return all.flatMap((a) =>
      all.filter((b) => side.get(a) !== side.get(b)).map((b): Pair => [a.name, b.name]),
    );
  }

  /** One connection: nothing arrives for a while, or it breaks. */
  #disturb(kind: 'stall' | 'reset', lasts: number): void {
    const { open } = this.#parts.net;
    if (open.length === 0) return;
    const stream = this.#draw.pick(open);
    const { other } = stream;
    this.#note(`${kind} of ${stream.life.node}>${other?.life.node} for ${lasts}`);
    if (kind === 'stall') stream.out?.stall(lasts);
    else {
      stream.break();
      other?.break();
    }
  }

  #refuse(place: Place, other: Place, lasts: number): void {
    const { net, time } = this.#parts;
    const way = `${place.name}>${other.name}`;
    this.#note(`callers refused on ${way} for ${lasts}`);
    net.refusing.add(way);
    time.after(lasts, () => net.refusing.delete(way));
  }

  #cutStore(who: string, lasts: number): void {
    const { store, time } = this.#parts;
    const mood: Mood = this.#draw.pick(['unavailable', 'silent', 'lost', 'late']);
    this.#note(`the store is ${mood} for ${who} for ${lasts}`);
    store.moods.set(who, mood);
    time.after(lasts, () => {
      if (store.moods.get(who) === mood) store.moods.delete(who);
    });
  }

  #note(text: string): void {
    this.#parts.story.note(this.#parts.time.now, '*', `** ${text}`);
  }
}

function tellPairs(pairs: readonly Pair[]): string {
  return pairs.map((pair) => pair.join('>')).join(' ');
}
