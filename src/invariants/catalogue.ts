// What must hold, numbered and named once for everybody who checks: the explorer after each transition, the simulator
// after each step, and the judges of what real processes wrote down. docs/GUARANTEES.md says the same to a user.

export interface Invariant {
  /** `I1`, `I2`, ...: never given to another one. */
  readonly id: string;
  readonly name: string;
  readonly statement: string;
  /** Numbers of the guarantees in docs/GUARANTEES.md that rest on it. */
  readonly guarantees: readonly number[];
}

export type InvariantName = (typeof names)[number];

const names = [
  'one-owner',
  'tokens',
  'one-authority',
  'kept',
  'verdicts',
  'consistent',
  'snapshots',
  'evicted',
  'bounded-store',
  'own-names',
  'answers',
  'at-rest',
] as const;

export const invariants: Readonly<Record<InvariantName, Invariant>> = {
  'one-owner': {
    id: 'I1',
    name: 'one-owner',
    statement:
      'At every instant at most one live process, on a host whose session runs, holds a name: was told `registered` and has not ended.',
    guarantees: [1],
  },
  tokens: {
    id: 'I2',
    name: 'tokens',
    statement:
      'The tokens of a name rise strictly in the order of acknowledgement, and no token is given to two registrations.',
    guarantees: [2],
  },
  'one-authority': {
    id: 'I3',
    name: 'one-authority',
    statement: 'At every instant at most one member may decide.',
    guarantees: [1, 9],
  },
  kept: {
    id: 'I4',
    name: 'kept',
    statement:
      'An acknowledged registration is present at its host until its process exits, somebody unregisters the name, or the session of the host lapses.',
    guarantees: [3],
  },
  verdicts: {
    id: 'I5',
    name: 'verdicts',
    statement:
      '`taken` and `found` name a registration that was acknowledged, and that held at some instant between call and answer.',
    guarantees: [4],
  },
  consistent: {
    id: 'I6',
    name: 'consistent',
    statement:
      'Registrations, unregistrations, exits and consistent reads of a name have one order, each at an instant between call and answer, that explains every answer.',
    guarantees: [5, 6],
  },
  snapshots: {
    id: 'I7',
    name: 'snapshots',
    statement:
      'A snapshot read shows an entry that a leader granted, as of the version of the replica; that version never goes back during the life of a member, and what an established member has shown as gone it does not show again.',
    guarantees: [7],
  },
  evicted: {
    id: 'I8',
    name: 'evicted',
    statement:
      'A member whose record is removed, or whose names are given away, has fenced itself, has said goodbye, or runs no more.',
    guarantees: [1, 3],
  },
  'bounded-store': {
    id: 'I9',
    name: 'bounded-store',
    statement:
      'Nothing in the store grows with names: it holds records of members and of the office, and nothing else.',
    guarantees: [10],
  },
  'own-names': {
    id: 'I10',
    name: 'own-names',
    statement: 'What a host lists as its own stands in its table, under its incarnation.',
    guarantees: [3],
  },
  answers: {
    id: 'I11',
    name: 'answers',
    statement: 'A call is answered exactly once, where it was asked; the protocol raises no alarm.',
    guarantees: [4],
  },
  'at-rest': {
    id: 'I12',
    name: 'at-rest',
    statement:
      'Once faults have ended, every member serves and every pending call has an answer within a stated time; replicas agree and the store names only living members.',
    guarantees: [8],
  },
};

/** What is looked for in particular, and the invariant that it belongs to. Where a check is all of its invariant they share a name. */
const parts = {
  'one-owner': 'one-owner',
  tokens: 'tokens',
  'one-authority': 'one-authority',
  kept: 'kept',
  /** `taken` and `found` name a registration that was acknowledged, of the process that they say. */
  real: 'verdicts',
  /** It had not certainly ended before the call began. */
  'not-stale': 'verdicts',
  /** `absent` is never said of a name that one registration held throughout the call. */
  'not-blind': 'consistent',
  /** After an unregistration is done, what it could see at its beginning holds no more. */
  effective: 'consistent',
  /** There is an order of all operations that explains every answer. */
  linearizable: 'consistent',
  /** The version of a replica does not go back. */
  forward: 'snapshots',
  /** What is shown was granted by a leader, for that name, to that process on that host. */
  granted: 'snapshots',
  /** What is shown was granted at or before the version of the replica, and not removed by then. */
  'of-its-version': 'snapshots',
  /** What was shown as gone, or as replaced, is not shown again. */
  'no-return': 'snapshots',
  evicted: 'evicted',
  /** Who is taken for dead has ended. */
  proof: 'evicted',
  /** A machine that was put back to an earlier state fences itself before it does anything else. */
  restored: 'evicted',
  'bounded-store': 'bounded-store',
  'own-names': 'own-names',
  answers: 'answers',
  alarm: 'answers',
  /** Alarms come to an end. */
  alarms: 'answers',
  'at-rest': 'at-rest',
  /** The table holds exactly the acknowledged registrations that still hold. */
  complete: 'at-rest',
  /** The digests of a replica are those of its entries. */
  digests: 'at-rest',
  /** Every name that a table shows is held where it says so. */
  agreed: 'at-rest',
} as const satisfies Record<string, InvariantName>;

export type Check = keyof typeof parts;

export function invariantOf(check: Check): InvariantName {
  return parts[check];
}

/** For people: `I1 one-owner`, or `I6 consistent (not-blind)`. */
export function tellCheck(check: Check): string {
  const { id, name } = invariants[parts[check]];
  return check === name ? `${id} ${name}` : `${id} ${name} (${check})`;
}
