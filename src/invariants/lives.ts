// From when on a name of a process may be free, as far as anybody wrote it down. Certain ownership lasts from the answer
// to that moment, and no longer: of a process that was killed, until before the signal; of one that stood still when it
// ended, or just before, until it stood still, for its session may have lapsed meanwhile; of one that was fenced, until the
// session that was last seen to run had to lapse.
import type { Life, RecordOf, RunRecord } from './run-record.ts';

/** A process that stood still finds out within this that it has lost its names; a fence is this late at most. */
const lastInstantMs = 1_000;

interface Story {
  killedAt: number;
  readonly stills: RecordOf<'still'>[];
  readonly sessions: RecordOf<'session'>[];
  /** By process. */
  readonly endings: Map<string, number>;
  readonly ends: Map<string, RecordOf<'ended'>>;
}

export class Lives {
  readonly #stories: Map<Life, Story> = new Map();
  readonly #lifeOf: Map<string, Life> = new Map();

  constructor(records: readonly RunRecord[]) {
    for (const record of records) this.#take(record);
  }

  wasKilled(life: Life): boolean {
    return this.#of(life).killedAt !== Infinity;
  }

  /** The process was registered by this life, and is one of its processes. */
  isOf(process: string, life: Life): boolean {
    return this.#lifeOf.get(process) === life;
  }

  /** From when on the names of the process may be free; infinite while nothing is known to have ended it. */
  freeFrom(process: string): number {
    const life = this.#lifeOf.get(process);
    if (life === undefined) return Infinity;
    const { killedAt, endings, ends, sessions, stills } = this.#of(life);
    const ended = ends.get(process);
    const at = Math.min(endings.get(process) ?? Infinity, ended?.at ?? Infinity, killedAt);
    const still = stills.filter(({ from, to }) => from <= at && at <= to + lastInstantMs);
    const fencedFrom = ended?.fenced === true ? lapseBefore(ended.at, sessions) : Infinity;
    return Math.min(at, fencedFrom, ...still.map(({ from }) => from));
  }

  #take(record: RunRecord): void {
    const story = this.#of(record.life);
    switch (record.kind) {
      case 'operation':
        if (record.type === 'register' && record.process !== undefined)
          this.#lifeOf.set(record.process, record.life);
        return;
      case 'ending':
        story.endings.set(record.process, record.at);
        return;
      case 'ended':
        story.ends.set(record.process, record);
        return;
      case 'session':
        story.sessions.push(record);
        return;
      case 'killing':
        story.killedAt = Math.min(story.killedAt, record.at);
        return;
      case 'still':
        story.stills.push(record);
        return;
      default:
    }
  }

  #of(life: Life): Story {
    const known = this.#stories.get(life);
    if (known !== undefined) return known;
    const fresh = { killedAt: Infinity, stills: [], sessions: [], endings: new Map(), ends: new Map() };
    this.#stories.set(life, fresh);
    return fresh;
  }
}

/** When the session that ran last before `at` had to lapse; or as early as a fence may come late. */
function lapseBefore(at: number, sessions: readonly RecordOf<'session'>[]): number {
  const last = sessions.findLast((session) => session.at <= at);
  return Math.min(at, last === undefined ? at - lastInstantMs : Math.max(last.at, last.until));
}
