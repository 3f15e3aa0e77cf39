// The doorbell: a file beside the database that a committer writes a byte to, and that the others watch with the operating
// system's help. What a ring means is in `notifier.ts`; that one may be lost is no fault.
import { closeSync, constants, openSync, writeSync } from 'node:fs';

export class Bell {
  readonly path: string;
  #file: number | undefined;

  /** Of the database at this path. */
  constructor(database: string) {
    this.path = `${database}-bell`;
  }

  /** Creates the file if there is none. Throws what the file system throws. */
  open(): number {
    this.#file ??= openSync(this.path, constants.O_RDWR | constants.O_CREAT, 0o644);
    return this.#file;
  }

  ring(): void {
    try {
      writeSync(this.open(), Uint8Array.of(0), 0, 1, 0);
    } catch {
      // The others poll.
      return;
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}
