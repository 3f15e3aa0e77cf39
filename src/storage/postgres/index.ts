export { openPostgres } from './backend.ts';
export type { PostgresOptions, PostgresTls } from './options.ts';
export { creationSql as postgresSchemaSql } from './schema.ts';
