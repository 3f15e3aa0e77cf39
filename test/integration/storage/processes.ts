// Worker processes of a test, and what they say. None outlives its test.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { WorkerOptions } from './worker.ts';

const program = fileURLToPath(new URL('./worker.ts', import.meta.url));

export interface Worker {
  /** All lines so far. */
  readonly said: Record<string, unknown>[];
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
  kill(): void;
}

export class Processes {
  readonly directory: string;
  readonly #children: Set<ChildProcess> = new Set();

  constructor(t: TestContext) {
    this.directory = mkdtempSync(join(tmpdir(), 'dgen-store-'));
    t.after(async () => {
      for (const child of this.#children) child.kill('SIGKILL');
      await Promise.all(
        [...this.#children].map((child) => new Promise((resolve) => child.once('exit', resolve))),
      );
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  file(name: string): string {
    return join(this.directory, name);
  }

  start(mode: string, options: WorkerOptions): Worker {
    const child = spawn(process.execPath, [program, mode, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#children.add(child);
    const said: Record<string, unknown>[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => said.push(JSON.parse(line)));
    const ended = new Promise<number | string | null>((resolve) => {
      child.once('exit', () => this.#children.delete(child));
      child.once('close', (code, signal) => resolve(signal ?? code));
    });
    return { said, ended, kill: () => void child.kill('SIGKILL') };
  }
}
