// What the decoder has seen lately, found again by its bytes: atoms, map keys, pids. Each table has a fixed number of
// slots and a new entry replaces whatever was in its slot, so a peer that sends ever new values fills nothing. The
// tables are shared by all readers; they change identity and speed, never the value that is decoded.
import type { Atom } from './atom.ts';
import { Pid } from './pid.ts';

const SLOTS = 1024;
/** Longer names and keys are not kept. */
export const CACHED_BYTES_MAX = 64;

interface Slot<Value> {
  readonly bytes: Uint8Array;
  readonly value: Value;
}

export class ByteTable<Value> {
  /** By slot: the one that was asked for after it the last time, as terms repeat themselves. */
  private readonly next: Uint16Array = new Uint16Array(SLOTS);
  private last = 0;
  private readonly slots: (Slot<Value> | undefined)[] = new Array(SLOTS).fill(undefined);

  /** The value that was kept for those bytes, or undefined. */
  get(bytes: Uint8Array, from: number, to: number): Value | undefined {
    const guess = this.next[this.last] as number;
    const guessed = this.slots[guess];
    if (guessed !== undefined && isAt(bytes, from, to, guessed.bytes)) {
      this.last = guess;
      return guessed.value;
    }
    const index = slotOf(bytes, from, to);
    const slot = this.slots[index];
    if (slot === undefined || !isAt(bytes, from, to, slot.bytes)) return undefined;
    this.next[this.last] = index;
    this.last = index;
    return slot.value;
  }

  /** Keeps the value for a copy of those bytes, unless they are too many. */
  keep(bytes: Uint8Array, value: Value): void {
    if (bytes.length > CACHED_BYTES_MAX) return;
    this.slots[slotOf(bytes, 0, bytes.length)] = { bytes: new Uint8Array(bytes), value };
  }
}

function slotOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = to - from;
  for (let at = from; at < to; at++) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0;
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}

// biome-ignore lint/complexity/useMaxParams: a range and what to find there
function isAt(bytes: Uint8Array, from: number, to: number, expected: Uint8Array): boolean {
  return expected.length === to - from && startsWith(bytes, from, expected);
}

/** Whether those bytes are in `bytes` at `from`. */
export function startsWith(bytes: Uint8Array, from: number, expected: Uint8Array): boolean {
  const length = expected.length;
  for (let index = 0; index < length; index++) {
    if (expected[index] !== bytes[from + index]) return false;
  }
  return true;
}

export class PidTable {
  private readonly slots: (Pid | undefined)[] = new Array(SLOTS).fill(undefined);

  /** A pid of these parts: the object that was returned lately, while its slot is not taken. */
  // biome-ignore lint/complexity/useMaxParams: the four parts of a pid
  intern(node: Atom, id: number, serial: number, creation: number): Pid {
    const hash = id ^ Math.imul(serial, 0x9e3779b1) ^ Math.imul(creation, 0x85ebca6b);
    const slot = hash & (SLOTS - 1);
    const known = this.slots[slot];
    if (
      known !== undefined &&
      known.id === id &&
      known.serial === serial &&
      known.creation === creation &&
      known.node === node
    ) {
      return known;
    }
    const pid = new Pid(node, id, serial, creation);
    this.slots[slot] = pid;
    return pid;
  }
}
