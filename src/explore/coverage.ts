// Which transitions were ever taken. The table names all that the protocol has; one that no configuration of a run has
// taken is a failure of the explorer, which then looked at less than it says.
import { lengthen, slower, storeLeaseHolds } from '../registry/protocol/authority.ts';
import type { MemberState, StorePurpose, WriteOp } from '../registry/protocol/state.ts';
import type { Effect, Event, MemberKey } from '../registry/protocol/types.ts';
import type { Facts } from './local.ts';
import { faults } from './scope.ts';

const events = [
  ...['start', 'tick', 'flush', 'store', 'message', 'provenDead', 'link', 'register', 'unregister', 'read'],
  ...['cancel', 'exited', 'drain', 'restart'],
] as const;

const messages = [
  ...[
    'follow',
    'ping',
    'grant',
    'adopt',
    'stream',
    'answers',
    'expect',
    'drop',
    'lost',
    'result',
    'resigned',
  ],
  ...[
    'farewell',
    'hello',
    'promise',
    'pong',
    'ack',
    'resend',
    'requests',
    'read',
    'goodbye',
    'stale',
    'pull',
  ],
  'pulled',
] as const;

const outcomes = ['committed', 'conflict', 'unavailable', 'unknown'] as const;

/** A read that is refused conflicts with nothing, and one that is not answered has changed nothing; a join creates. */
const storeOutcomes: readonly string[] = [
  ...['read committed', 'read unavailable', 'join committed', 'join unavailable', 'join unknown'],
  ...(['claim', 'renew', 'resign'] as const).flatMap((purpose) =>
    outcomes.map((outcome) => `${purpose} ${outcome}`),
  ),
];

const phases: readonly string[] = [
  ...['idle>joining', 'joining>active', 'joining>fenced', 'joining>left', 'active>draining', 'active>fenced'],
  ...['joining>draining', 'fenced>joining', 'fenced>left', 'draining>left', 'active>left'],
];

const claims: readonly string[] = [
  ...['no record', 'no leader', 'own record', 'proven dead', 'resigned', 'on lapse', 'newcomer by time'],
];

const lapses: readonly string[] = [
  ...['store lease', 'support', 'session', 'claim wait', 'tolerance', 'hold', 'stand back'],
];

const office: readonly string[] = [
  ...[
    'taken',
    'complete',
    'complete with names reserved',
    'lost',
    'handed over',
    'yields for want of support',
  ],
  ...['undecided claim', 'undecided renewal', 'undecided applied', 'undecided refused', 'eviction sent'],
  ...['established grows', 'established shrinks', 'authority without the store', 'undecided write repeated'],
  ...['contested', 'contest is over'],
];

const replies: readonly string[] = [
  ...['registered', 'taken', 'done', 'found', 'absent', 'error draining', 'error fenced', 'error timeout'],
  ...['error unavailable', 'error noproc'],
];

const happenings: readonly string[] = [
  ...['time passes', 'store executes', 'late write executes', 'fault ends', 'client asks', 'process exits'],
];

/** Every transition by name. */
export const transitions: readonly string[] = [
  ...events.map((one) => `event ${one}`),
  ...messages.map((one) => `message ${one}`),
  ...storeOutcomes.map((one) => `store ${one}`),
  ...phases.map((one) => `phase ${one}`),
  ...claims.map((one) => `claim ${one}`),
  ...lapses.map((one) => `lapse ${one}`),
  ...office.map((one) => `office ${one}`),
  ...replies.map((one) => `reply ${one}`),
  ...faults.map((one) => `fault ${one}`),
  ...happenings,
];

/** One step of a member: the state before and after, both at instant 0. */
export interface Stepped {
  readonly before: MemberState;
  readonly event: Event;
  readonly effects: readonly Effect[];
  readonly after: MemberState;
}

export interface Passed {
  readonly before: Facts;
  readonly after: Facts;
  /** At the end. */
  readonly state: MemberState;
}

export class Coverage {
  readonly taken: Set<string> = new Set();

  note(transition: string): void {
    this.taken.add(transition);
  }

  stepped(step: Stepped): void {
    this.note(`event ${step.event.type}`);
    this.#message(step);
    this.#store(step);
    this.#phase(step);
    this.#office(step);
    for (const effect of step.effects)
      if (effect.type === 'reply') {
        const { result } = effect;
        this.note(`reply ${result.type === 'error' ? `error ${result.code}` : result.type}`);
      }
  }

  passed({ before, after, state }: Passed): void {
    if (before.sessionRuns && !after.sessionRuns) this.note('lapse session');
    const { follow, store, leader } = state;
    if (follow.leader !== null && follow.leader !== state.self && follow.supportUntil === 0)
      this.note('lapse support');
    if (before.standsBack && !after.standsBack) this.note('lapse stand back');
    if (follow.claimAt === 0) this.note('lapse claim wait');
    const { durations } = state.config;
    if (leader !== null && !storeLeaseHolds(state, leader, 0)) {
      this.note('lapse store lease');
      if (after.authority) this.note('office authority without the store');
      if (-leader.renewedAt >= durations.toleranceMs * (1 - durations.clockRateBound))
        this.note('lapse tolerance');
    }
    if (before.leads && -store.movedAt >= lengthen(durations.holdMs, durations)) this.note('lapse hold');
  }

  #message({ before, event }: Stepped): void {
    if (event.type !== 'message' || event.to !== before.self) return;
    if (before.phase !== 'fenced' && !before.dead.has(event.from)) this.note(`message ${event.message.type}`);
  }

  #store({ before, event, after, effects }: Stepped): void {
    const { inflight, undecided } = before.store;
    if (event.type === 'store' && inflight !== null) {
      this.note(`store ${inflight.purpose} ${event.outcome.status}`);
      if (undecided !== null && after.store.undecided === null)
        this.note(`office undecided ${wasApplied(after, undecided.op) ? 'applied' : 'refused'}`);
    }
    if (undecided === null && after.store.undecided !== null) this.#undecided(after.store.undecided.purpose);
    if (!effects.some((effect) => effect.type === 'store')) return;
    const sent = after.store.inflight;
    if (sent?.op.kind !== 'write') return;
    if (after.store.undecided !== null) this.note('office undecided write repeated');
    else if (sent.purpose === 'claim') this.note(`claim ${claimReason(after, sent.op)}`);
    else this.#renewal(sent.op);
  }

  #undecided(purpose: StorePurpose): void {
    if (purpose === 'claim') this.note('office undecided claim');
    else if (purpose === 'renew') this.note('office undecided renewal');
  }

  #renewal(op: WriteOp): void {
    const { established } = op.record;
    const old = op.expect?.established ?? [];
    if (op.removeMembers.length > 0) this.note('office eviction sent');
    if (established.some((member) => !old.includes(member))) this.note('office established grows');
    if (old.some((member) => !established.includes(member))) this.note('office established shrinks');
  }

  #phase({ before, after }: Stepped): void {
    if (before.phase !== after.phase) this.note(`phase ${before.phase}>${after.phase}`);
    if (before.self !== after.self) this.note('phase fenced>joining');
  }

  #office({ before, after, effects }: Stepped): void {
    const [was, is] = [before.leader, after.leader];
    if (was === null && is !== null) this.note('office taken');
    if (was !== null && is === null) this.note('office lost');
    if (is?.complete && was?.complete !== true) {
      this.note('office complete');
      if (is.reserved.size > 0) this.note('office complete with names reserved');
    }
    const tellsAll = effects.some((one) => one.type === 'send' && one.message.type === 'resigned');
    if (was !== null && !was.stopped && is === null && tellsAll) this.note('office handed over');
    if (was?.yieldUntil === -Infinity && is !== null && is.yieldUntil !== -Infinity)
      this.note('office yields for want of support');
    if (is?.contested && was?.contested !== true) this.note('office contested');
    if (was?.contested && is?.contested === false) this.note('office contest is over');
  }
}

function wasApplied(state: MemberState, op: WriteOp): boolean {
  const record = state.store.view?.record;
  return record?.renewals === op.record.renewals && record.leader === op.record.leader;
}

/** Why a claim was sent, by what its sender knew. */
function claimReason(state: MemberState, op: WriteOp): string {
  const old = op.expect;
  if (old === null) return 'no record';
  if (old.leader === null) return 'no leader';
  if (state.dead.has(old.leader as MemberKey)) return 'proven dead';
  if (old.leader === state.self) return 'own record';
  if (state.follow.resignedEpoch === old.epoch) return 'resigned';
  const durations = slower(state.config.durations, old.durations);
  const waited = -state.store.movedAt;
  const byTime = waited >= lengthen(durations.holdMs, durations);
  return byTime && !old.established.includes(state.self) ? 'newcomer by time' : 'on lapse';
}
