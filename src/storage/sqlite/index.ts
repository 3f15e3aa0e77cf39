// The subpath for stores in a SQLite file.
export { openSqlite, type SqliteOptions } from './backend.ts';
