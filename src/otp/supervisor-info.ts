// What supervisors tell about their children.
import type { Pid } from '../term/pid.ts';
import type { Child } from './children.ts';

export interface ChildInfo {
  readonly id: string;
  /** `undefined` for a child that does not run and of which no restart is due. */
  readonly pid: Pid | 'restarting' | undefined;
  readonly type: 'worker' | 'supervisor';
}

export interface ChildCounts {
  /** All children, running or not. */
  readonly specs: number;
  /** Those that run. */
  readonly active: number;
  /** Running or not, by type. */
  readonly supervisors: number;
  readonly workers: number;
}

export function infoOf({ spec, pid, retry }: Child): ChildInfo {
  const running = pid ?? (retry === undefined ? undefined : 'restarting');
  return { id: spec.id, pid: running, type: spec.type ?? 'worker' };
}

export function countChildren(children: readonly Child[]): ChildCounts {
  const supervisors = children.filter(({ spec }) => spec.type === 'supervisor').length;
  const active = children.filter(({ pid }) => pid !== undefined).length;
  return { specs: children.length, active, supervisors, workers: children.length - supervisors };
}
