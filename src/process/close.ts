// The end of a runtime: the processes go in reverse order of start, each after the one before has ended, so that what was
// started on top of something goes before it. Those that trap exits get time to clean up, each at most half of what is left
// of the grace: one that does not go takes nobody else's chance.
import { DGenError } from '../errors/error.ts';
import type { Pid } from '../term/pid.ts';
import type { RuntimeParts } from './parts.ts';
import { kill, shutdown } from './reasons.ts';
import type { ProcessRecord } from './record.ts';
import { whenDown } from './when-down.ts';

/** Resolves when no process is left. */
export async function closeRuntime(parts: RuntimeParts): Promise<void> {
  await endAllBut(parts, []);
  const closed = new DGenError('closed', 'the runtime is closed');
  parts.calls.failAll(parts.client, closed);
  for (const wait of [...parts.downWaits]) wait.giveUp(closed);
}

/** Resolves when no other process is left. Nothing starts from now on. */
export async function endAllBut(parts: RuntimeParts, kept: readonly Pid[]): Promise<void> {
  parts.spawner.close();
  const keys = new Set(kept.map((pid) => pid.key));
  const graceEnd = parts.deadlines.now() + parts.limits.closeGraceMs;
  for (const record of parts.table.list().reverse()) {
    if (record.alive && !keys.has(record.pid.key))
      await end(parts, record, (graceEnd - parts.deadlines.now()) / 2);
  }
}

async function end(parts: RuntimeParts, record: ProcessRecord, graceMs: number): Promise<void> {
  parts.lifecycle.exitFromPeer(record, parts.client.pid, shutdown);
  if (!record.alive) return;
  await whenDown(parts, record.pid, { timeoutMs: Math.max(graceMs, 0) }).catch(() =>
    parts.lifecycle.exitFromPeer(record, parts.client.pid, kill),
  );
}
