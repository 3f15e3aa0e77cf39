// Holds the write lock of a SQLite file until it is killed: `lock.child.ts FILE`.
import { DatabaseSync } from 'node:sqlite';

const database = new DatabaseSync(process.argv[2] as string, { timeout: 10_000 });
database.exec('BEGIN IMMEDIATE');
process.send?.('locked');
process.once('disconnect', () => process.exit());
