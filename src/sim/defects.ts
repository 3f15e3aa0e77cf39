// Guards, each with the edit that takes it out, and with what finds that it is missing. `npm run mutants` loads the
// sources with one of them edited at a time: a checker that has never failed proves nothing. Production code knows
// nothing of it. docs/MUTANTS.md lists all guards, also those that other guards cover.
import type { InvariantName } from '../invariants/catalogue.ts';
import { authorityDefects } from './defects/authority.ts';
import { claimDefects } from './defects/claims.ts';
import { contestDefects } from './defects/contest.ts';
import { decideDefects } from './defects/decide.ts';
import { followDefects } from './defects/follow.ts';
import { hostDefects } from './defects/host.ts';
import { linkDefects } from './defects/links.ts';
import { membershipDefects } from './defects/membership.ts';
import { replicaDefects } from './defects/replica.ts';
import { storeDefects } from './defects/store.ts';
import { surfaceDefects } from './defects/surface.ts';
import { takeoverDefects } from './defects/takeover.ts';

/** One replacement. White space in `find` stands for any white space, so that a formatter breaks nothing. */
export interface Edit {
  /** Under src/. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

export type Finder =
  /** A test file under test/, and the beginning of the name of one of its tests. */
  | { readonly test: string; readonly name: string }
  /** The explorer, with that configuration, until something is broken. */
  | { readonly explore: string }
  /** The simulator: so many seeds from the first on, until one fails. */
  | { readonly first: number; readonly seeds: number };

export interface Defect {
  /** What the members do without the guard. */
  readonly name: string;
  readonly edits: readonly Edit[];
  /** What the guard is for; `use`: a rule of the surface that is no invariant of the registry. */
  readonly protects: InvariantName | 'use';
  /** Tried in this order. */
  readonly finders: readonly Finder[];
}

export const defects: readonly Defect[] = [
  ...authorityDefects,
  ...claimDefects,
  ...contestDefects,
  ...storeDefects,
  ...followDefects,
  ...membershipDefects,
  ...takeoverDefects,
  ...replicaDefects,
  ...decideDefects,
  ...hostDefects,
  ...surfaceDefects,
  ...linkDefects,
];

/** The source with the edit; throws where it has not exactly one place. */
export function edited(source: string, edit: Edit): string {
  const pattern = edit.find
    .trim()
    .split(/\s+/)
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('\\s+');
  const places = [...source.matchAll(new RegExp(pattern, 'g'))];
  if (places.length !== 1) throw new Error(`${places.length} places in ${edit.file}: ${edit.find}`);
  const [place] = places as [RegExpExecArray];
  return source.slice(0, place.index) + edit.replace + source.slice(place.index + place[0].length);
}
