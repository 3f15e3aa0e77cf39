// A failing run told as a story: who did what and when, in named nodes, what was lost, and what broke in the end. It looks
// on while the run is repeated, so that a run that nobody asks about pays nothing for it.
import { hasAuthority } from '../registry/protocol/authority.ts';
import type { MemberState } from '../registry/protocol/state.ts';
import type { Effect, Event, LeaderRecord, Result, StoreOp } from '../registry/protocol/types.ts';
import type { Call, Cluster, SimNode } from './cluster.ts';
import type { Lost, Parcel } from './network.ts';
import { type Parts, runScenario } from './run.ts';
import type { Scenario } from './scenario.ts';

/** 1: what was done and what came of it. 2: what members learned. 3: details. Where there are too many lines, details go first. */
type Weight = 1 | 2 | 3;

interface Line {
  readonly at: number;
  readonly who: string;
  readonly text: string;
  readonly weight: Weight;
}

/** What a member shows, for the comparison with what it showed before. */
interface Seen {
  readonly phase: string;
  readonly follows: string;
  readonly leads: string;
  readonly session: boolean;
}

/** At most so many lines. The last one says what broke. */
export function tellStory(scenario: Scenario, linesMax = 60): string[] {
  let story: Story | null = null;
  const { failure, beyond } = runScenario(scenario, {
    storyLines: 0,
    observe: (parts) => {
      story = new Story(parts);
    },
  });
  const lines = (story as Story | null)?.lines ?? [];
  const head = tellHead(scenario);
  const [first = 'nothing broke'] = (failure?.what ?? 'nothing broke').split('\n');
  const end = [...(beyond === null ? [] : [`beyond the bound: ${beyond}`]), `BROKEN ${first}`];
  return [...head, ...trimTo(lines, linesMax - head.length - end.length).map(tellLine), ...end];
}

function tellHead({ options }: Scenario): string[] {
  const { config, durationsOf, weather, storeWeather } = options;
  const { leaseMs, sessionMs, toleranceMs, holdMs, clockRateBound } = config.durations;
  const own = Object.keys(durationsOf);
  const seconds = `L ${leaseMs}, S ${sessionMs}, T ${toleranceMs}, H ${holdMs} ms, ρ ${clockRateBound}`;
  const mixed = own.length > 0 ? `; ${own.join(' ')} with durations of their own` : '';
  const store = `store 2 to ${2 * storeWeather.delayMaxMs} ms`;
  return [
    `${options.nodes + options.joiners} members, ${seconds}${mixed}`,
    `messages ${weather.delayMinMs} to ${weather.delayMaxMs} ms, ${store}`,
  ];
}

/** The heaviest lines, in their order; of those that weigh 1 the begin and the end. */
function trimTo(lines: readonly Line[], most: number): readonly Line[] {
  for (const weight of [3, 2] as const) {
    if (lines.length <= most) return lines;
    lines = lines.filter((line) => line.weight < weight);
  }
  if (lines.length <= most) return lines;
  const begin = lines.slice(0, Math.floor(most / 3));
  const end = lines.slice(lines.length - (most - begin.length - 1));
  const left = lines.length - begin.length - end.length;
  return [...begin, { at: end[0]?.at ?? 0, who: '*', text: `(${left} lines left out)`, weight: 1 }, ...end];
}

function tellLine({ at, who, text }: Line): string {
  return `${at.toFixed(0).padStart(7)} ${who.padEnd(2)} ${text}`;
}

class Story {
  readonly lines: Line[] = [];
  readonly #cluster: Cluster;
  readonly #seen: Map<string, Seen> = new Map();
  readonly #lost: Map<string, number> = new Map();
  #record: LeaderRecord | null = null;

  constructor({ judged }: Parts) {
    const { cluster } = judged;
    this.#cluster = cluster;
    const { watch } = cluster;
    cluster.watch = {
      ...watch,
      stepped: (node, event, effects) => {
        this.#stepped(node, event, effects);
        watch.stepped(node, event, effects);
      },
      replied: (node, call) => {
        this.#tell(node.name, `call ${call.id}: ${tellResult(call.result)}`, 1);
        watch.replied(node, call);
      },
    };
    const { changed } = cluster.store;
    cluster.store.changed = (op) => {
      this.#storeChanged(op);
      changed?.(op);
    };
    cluster.trace.noted = (_at, node, text) => this.#tell(node, text, 1);
    cluster.network.dropped = (parcel, how) => this.#dropped(parcel, how);
  }

  #tell(who: string, text: string, weight: Weight): void {
    this.#tellLost();
    this.lines.push({ at: this.#cluster.timeline.now, who, text, weight });
  }

  #dropped({ fromNode, toNode, message }: Parcel, how: Lost): void {
    if (how === 'cut') return;
    const what = `${fromNode} to ${toNode}: ${message.type}`;
    this.#lost.set(what, (this.#lost.get(what) ?? 0) + 1);
  }

  #tellLost(): void {
    if (this.#lost.size === 0) return;
    const all = [...this.#lost].map(([what, count]) => (count === 1 ? what : `${what} (${count})`));
    this.#lost.clear();
    this.lines.push({ at: this.#cluster.timeline.now, who: '*', text: `lost: ${all.join(', ')}`, weight: 2 });
  }

  #stepped(node: SimNode, event: Event, effects: readonly Effect[]): void {
    const asked = tellAsked(event, this.#cluster.calls);
    if (asked !== null) this.#tell(node.name, asked, 1);
    if (event.type === 'provenDead') this.#tell(node.name, `has proof that ${event.member} has ended`, 1);
    if (event.type === 'store' && !('view' in event.outcome) && event.outcome.status === 'unknown')
      this.#tell(node.name, 'does not know whether the store applied its write', 2);
    for (const effect of effects) {
      if (effect.type === 'store' && effect.op.kind === 'write')
        this.#tell(node.name, `asks the store for ${tellRecord(effect.op.record)}`, 3);
    }
    if (node.state !== null) this.#compare(node, node.state);
  }

  #compare(node: SimNode, state: MemberState): void {
    const now = this.#cluster.localTime(node);
    const before = this.#seen.get(state.self);
    const seen = look(state, now);
    this.#seen.set(state.self, seen);
    if (before?.leads !== seen.leads && (before !== undefined || seen.leads !== 'does not lead'))
      this.#tell(node.name, `${state.self} ${seen.leads}`, 1);
    if (before?.follows !== seen.follows && state.follow.leader !== null && state.leader === null)
      this.#tell(node.name, `${state.self} ${seen.follows}`, 2);
    if (before !== undefined && before.phase !== seen.phase)
      this.#tell(node.name, `${state.self} is ${seen.phase}`, 2);
    if (before?.session === false && seen.session) this.#tell(node.name, `${state.self} has a session`, 3);
  }

  #storeChanged(op: StoreOp): void {
    if (op.kind === 'join') this.#tell('*', `the store records ${op.member}`, 3);
    if (op.kind !== 'write') return;
    const before = this.#record;
    this.#record = op.record;
    const moved = before?.epoch !== op.record.epoch || before.leader !== op.record.leader;
    const listed = before?.established.join() !== op.record.established.join();
    if (moved || listed) this.#tell('*', `the store has ${tellRecord(op.record)}`, moved ? 1 : 2);
    if (op.removeMembers.length > 0) this.#tell('*', `the store forgets ${op.removeMembers.join(' ')}`, 1);
  }
}

function look(state: MemberState, now: number): Seen {
  const { leader, follow } = state;
  const powers = hasAuthority(state, now) ? '' : ' without authority';
  const whole = leader?.complete === true ? '' : ', its take-over is not complete';
  return {
    phase: state.phase,
    follows: `follows ${follow.leader} in epoch ${follow.promised}`,
    leads: leader === null ? 'does not lead' : `leads epoch ${leader.epoch}${powers}${whole}`,
    session: follow.sessionUntil !== null && now < follow.sessionUntil,
  };
}

function tellRecord({ epoch, leader, established }: LeaderRecord): string {
  return `epoch ${epoch}, leader ${leader ?? 'nobody'}, established ${established.join(' ') || 'nobody'}`;
}

function tellAsked(event: Event, calls: ReadonlyMap<number, Call>): string | null {
  switch (event.type) {
    case 'register':
      return `call ${event.id}: register ${event.key} for ${event.pid}`;
    case 'unregister':
    case 'read':
      return `call ${event.id}: ${event.type} ${event.key}`;
    case 'cancel':
      return calls.get(event.id)?.result === null ? `call ${event.id} is given up` : null;
    default:
      return null;
  }
}

function tellResult(result: Result | null): string {
  switch (result?.type) {
    case 'registered':
      return `registered, token ${result.token.epoch}.${result.token.n}`;
    case 'taken':
    case 'found':
      return `${result.type}: ${result.pid}, token ${result.token.epoch}.${result.token.n}`;
    case 'error':
      return `${result.code}${result.maybeExecuted ? ', may have happened' : ''}`;
    default:
      return result?.type ?? 'no answer';
  }
}
