// A SQLite store that is out of reach: another process holds the write lock of its file.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const lockFile = fileURLToPath(new URL('./lock.child.ts', import.meta.url));

/** Resolves when the lock is held; it is until `release`, or until the test ends. */
export async function lock(t: TestContext, file: string): Promise<{ release(): Promise<void> }> {
  const child: ChildProcess = fork(lockFile, [file], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = once(child, 'exit');
  const release = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  t.after(release);
  await once(child, 'message', { signal: AbortSignal.timeout(20_000) });
  return { release };
}
