// Telling watches about commits, also those of other processes. A committer rings: it writes a byte to a file beside
// the database, which the others watch with the operating system's help. A ring is lost when the committer dies before
// it, or where files cannot be watched; so there is a slow poll besides. What was rung for is never believed: the change log
// says which keys changed since the last look.
import { type FSWatcher, watch as watchFile } from 'node:fs';
import type { TimerHandle, Timers } from '../../host/ports.ts';
import { rangesMeet } from '../bytes.ts';
import type { KeyRange, Watch } from '../port.ts';
import { Bell } from './bell.ts';
import { blobOf, type SqliteConnection, type SqliteStatement } from './driver.ts';
import { isBusy } from './errors.ts';

const pollMs = 250;
/** Beyond this many changes since the last look every watch fires: that is quicker than to compare. */
const changesMax = 10_000;

export interface NotifierOptions {
  readonly connection: SqliteConnection;
  readonly timers: Timers;
  readonly path: string;
}

interface Entry {
  readonly range: KeyRange;
  /** Commits up to this version came before the watch. */
  readonly base: number;
  readonly fire: () => void;
}

export class Notifier {
  readonly #timers: Timers;
  readonly #bell: Bell;
  readonly #head: SqliteStatement;
  readonly #changes: SqliteStatement;
  readonly #entries: Set<Entry> = new Set();
  #seen = 0;
  #watcher: FSWatcher | undefined;
  #poll: TimerHandle | undefined;
  #closed = false;

  constructor({ connection, timers, path }: NotifierOptions) {
    this.#timers = timers;
    this.#bell = new Bell(path);
    this.#head = connection.prepare('SELECT version, known FROM head');
    const limit = changesMax + 1;
    this.#changes = connection.prepare(
      `SELECT version, low, high FROM change WHERE version > ? LIMIT ${limit}`,
    );
  }

  /** Resolves its promise after the next commit that touches `range`, here or in another process. */
  watch(range: KeyRange): Watch {
    let resolve: () => void = () => undefined;
    const changed = new Promise<void>((done) => {
      resolve = done;
    });
    const cancel = () => {
      this.#entries.delete(entry);
      resolve();
    };
    const entry: Entry = { range, base: this.#baseVersion(), fire: cancel };
    this.#entries.add(entry);
    if (this.#closed) cancel();
    else this.#listen();
    return { changed, cancel };
  }

  /** After a commit of this process: the others were rung for by whoever committed. */
  committed(): void {
    this.#look();
  }

  close(): void {
    this.#closed = true;
    for (const entry of [...this.#entries]) entry.fire();
    this.#poll?.cancel();
    this.#stopWatching();
    this.#bell.close();
  }

  /** The version at this moment. If it cannot be read the newest known one: too old only means to fire too often. */
  #baseVersion(): number {
    try {
      const version = Number(this.#head.get()?.version);
      if (this.#entries.size === 0) this.#seen = version;
      return version;
    } catch {
      return this.#seen;
    }
  }

  #listen(): void {
    this.#poll ??= this.#timers.after(pollMs, () => this.#pollOnce(), { background: true });
    if (this.#watcher !== undefined) return;
    try {
      this.#bell.open();
      this.#watcher = watchFile(this.#bell.path, { persistent: false }, () => this.#look());
      this.#watcher.on('error', () => this.#stopWatching());
    } catch {
      // Without a bell the poll finds everything, later. It is tried again with the next watch.
      this.#stopWatching();
    }
  }

  #stopWatching(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #pollOnce(): void {
    this.#poll = undefined;
    if (this.#entries.size === 0) return;
    this.#look();
    this.#poll = this.#timers.after(pollMs, () => this.#pollOnce(), { background: true });
  }

  #look(): void {
    if (this.#closed || this.#entries.size === 0) return;
    try {
      this.#fireChanged();
    } catch (error) {
      // Locked for a moment: the poll looks again. Otherwise the holders shall read for themselves, and see the error.
      if (!isBusy(error)) this.#fireAll();
    }
  }

  #fireChanged(): void {
    const head = this.#head.get();
    const version = Number(head?.version);
    const seen = this.#seen;
    if (version === seen) return;
    if (seen < Number(head?.known)) this.#fireAll();
    else {
      const changes = this.#changes.all(seen);
      if (changes.length > changesMax) this.#fireAll();
      for (const { version: at, low, high } of changes) {
        this.#fire(Number(at), { begin: blobOf(low), end: blobOf(high) });
      }
    }
    this.#seen = version;
  }

  #fire(version: number, range: KeyRange): void {
    for (const entry of [...this.#entries]) {
      if (version > entry.base && rangesMeet(range, entry.range)) entry.fire();
    }
  }

  #fireAll(): void {
    for (const entry of [...this.#entries]) entry.fire();
  }
}
