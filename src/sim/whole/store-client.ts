// The store as one node sees it: a client of the shared memory database whose answers reach the node only while it lives and
// runs. What was sent before a crash arrives all the same. Outages, slowness and lost answers are drawn here.
import type {
  FaultSource,
  KeyRange,
  MemoryDatabase,
  MemoryFault,
  MemoryOperation,
  StoreTransaction,
} from '../../storage/index.ts';
import type { Backend } from '../../storage/port.ts';
import type { Draw } from '../draw.ts';
import type { Life } from './life.ts';

/** `silent`: no answer, until the deadline. `lost`: answers of commits get lost. `late`: commits take effect long after. */
export type Mood = 'unavailable' | 'silent' | 'lost' | 'late';

export interface StoreWeather {
  delayMaxMs: number;
  /** Of 1000 operations, so many go wrong by themselves. */
  troublePerMille: number;
  lateMaxMs: number;
}

/** Longer than any deadline of the store. */
const silenceMs = 8_000;

export class StoreFaults {
  readonly weather: StoreWeather;
  /** Outages by node; `*`: for all. */
  readonly moods: Map<string, Mood> = new Map();
  readonly #draw: Draw;

  constructor(draw: Draw, weather: StoreWeather) {
    this.#draw = draw;
    this.weather = weather;
  }

  sourceFor(node: string): FaultSource {
    return (operation) => {
      const delayMs = this.#draw.between(100, this.weather.delayMaxMs * 1000) / 1000;
      const mood = this.moods.get('*') ?? this.moods.get(node) ?? this.#trouble();
      return mood === undefined ? { delayMs } : this.#faultOf(mood, operation, delayMs);
    };
  }

  #trouble(): Mood | undefined {
    if (!this.#draw.chance(this.weather.troublePerMille)) return undefined;
    return this.#draw.pick(['unavailable', 'silent', 'lost', 'late'] as const);
  }

  #faultOf(mood: Mood, operation: MemoryOperation, delayMs: number): MemoryFault {
    if (mood === 'unavailable') return { kind: 'unavailable', delayMs };
    if (operation !== 'commit') return { delayMs: mood === 'silent' ? silenceMs : delayMs };
    if (mood === 'late') return { kind: 'late', delayMs: this.#draw.between(1, this.weather.lateMaxMs) };
    const kind = this.#draw.pick(['request_lost', 'reply_lost'] as const);
    return { kind, delayMs: mood === 'silent' ? silenceMs : delayMs };
  }
}

export function backendOf(database: MemoryDatabase, life: Life, fault: FaultSource): Backend {
  const inner = database.connect({ fault });
  // Whatever a dead node has open is given up by the store.
  life.onDeath.add(() => void inner.close());
  return {
    description: inner.description,
    begin: async (options) => gated(life, await life.gate(inner.begin(options))),
    watch: (range: KeyRange) => {
      const watch = inner.watch(range);
      return { changed: life.gate(watch.changed), cancel: () => watch.cancel() };
    },
    close: () => life.gate(inner.close()),
  };
}

function gated(life: Life, inner: StoreTransaction): StoreTransaction {
  return {
    get: (key) => life.gate(inner.get(key)),
    getRange: (range, options) => life.gate(inner.getRange(range, options)),
    commit: (commit) => life.gate(inner.commit(commit)),
    close: () => inner.close(),
  };
}
