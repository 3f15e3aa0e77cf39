// The tables, and how a schema becomes ours: an empty one is filled in one transaction under a lock, one of ours is
// checked for its format, anything else is refused as it is. A role that may create nothing can use what another made.
//
// marker: one row per commit, with its version and its idempotency id, if it has one. The greatest version is the store's.
// head: one row, which changes now and then. Snapshots from `known` on can be read; `next_known` was the version when the
// store's clock showed `turned_ms`, and becomes `known` half a minute later; the `markers_` ones are the same for markers.
// `swept`: up to that version the leftovers are gone. `clock_ms` is the store's own clock: it sums up what passes between two
// of its changes, but never more than ten seconds, so a server whose clock jumps forgets nothing early; `wall_ms` is when it
// was set. `token`: part of the name of the channel for notifications.
// item: what there is now; `since` is the version that wrote it.
// past: what there was, from `since` until it was changed at `until`. `since` null: there was nothing. So it holds both
// what older snapshots see and which keys each version changed.
// state: both together, with no condition of their own, so that a range of them is read in order from the two indexes.
import { DGenError } from '../../errors/error.ts';
import type { Connection } from './connection.ts';
import { sqlState } from './errors.ts';
import { functionsSql } from './functions.ts';

const schemaFormat = 1;

/** Without vacuum the rows that every commit changes would make all of them slow; the defaults wait for too much. */
const busy =
  'fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0';

const tablesSql = (schema: string): string => `
  CREATE TABLE ${schema}.dgen_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    format integer NOT NULL,
    known bigint NOT NULL, next_known bigint NOT NULL, turned_ms bigint NOT NULL, swept bigint NOT NULL,
    markers_known bigint NOT NULL, markers_next_known bigint NOT NULL,
    markers_turned_ms bigint NOT NULL, markers_swept bigint NOT NULL,
    clock_ms bigint NOT NULL, wall_ms bigint NOT NULL, token text NOT NULL
  ) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
  INSERT INTO ${schema}.dgen_head VALUES (true, ${schemaFormat}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    pg_catalog.left(pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', ''), 16));
  CREATE TABLE ${schema}.dgen_item (
    key bytea PRIMARY KEY, value bytea NOT NULL, since bigint NOT NULL) WITH (${busy});
  CREATE TABLE ${schema}.dgen_past (
    key bytea NOT NULL, until bigint NOT NULL, since bigint, value bytea, PRIMARY KEY (key, until)) WITH (${busy});
  CREATE INDEX dgen_past_until ON ${schema}.dgen_past (until);
  CREATE VIEW ${schema}.dgen_state AS
    SELECT key, value, since, 9223372036854775807 AS until FROM ${schema}.dgen_item
    UNION ALL SELECT key, value, since, until FROM ${schema}.dgen_past;
  CREATE TABLE ${schema}.dgen_marker (
    version bigint PRIMARY KEY, id bytea UNIQUE, attempt integer NOT NULL) WITH (${busy});
  INSERT INTO ${schema}.dgen_marker VALUES (0, NULL, 0);
`;

/**
 * What makes the tables and functions in a schema, which is made too if it is missing; nothing if they are there. One statement, so
 * all of it or nothing, whoever else does the same at that moment. It asks the tables of the catalog, since functions such as
 * `to_regclass` may answer from before the lock.
 */
export function creationSql(schema: string): string {
  return `DO $dgen$ BEGIN
  PERFORM pg_catalog.set_config('lock_timeout', '10000', true);
  PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('dgen create ${schema}', 0));
  IF EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = '${schema}' AND c.relname = 'dgen_head') THEN RETURN; END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = '${schema}') THEN
    CREATE SCHEMA ${schema};
  END IF;
  ${tablesSql(schema)}
  ${functionsSql(schema)}
END $dgen$`;
}

/**
 * Checks that the tables are ours, and makes them when there are none. Throws `store_not_ours`, `store_format`, and errors of the
 * server, after which it may be called again.
 */
export async function prepareSchema(connection: Connection, schema: string): Promise<void> {
  const relation = `${schema}.dgen_head`;
  const [found] = await connection.query('SELECT pg_catalog.to_regclass($1)', [relation]);
  if (found?.[0] === null) await create(connection, schema);
  const format = await readFormat(connection, relation);
  if (format > schemaFormat) {
    throw new DGenError('store_format', 'PostgreSQL schema', {
      expected: `at most ${schemaFormat}`,
      got: String(format),
    });
  }
}

/** "Exists already": something of somebody else has the name of one of ours, unless there is a head by now. */
const duplicates = ['42P06', '42P07', '42710', '42723', '23505'];

async function create(connection: Connection, schema: string): Promise<void> {
  try {
    await connection.query(creationSql(schema));
  } catch (error) {
    if (!duplicates.includes(sqlState(error) ?? '')) throw error;
    const [found] = await connection.query('SELECT pg_catalog.to_regclass($1)', [`${schema}.dgen_head`]);
    if (found?.[0] === null) throw notOurs(schema, error);
  }
}

async function readFormat(connection: Connection, relation: string): Promise<number> {
  try {
    const rows = await connection.query(`SELECT format FROM ${relation}`);
    const format = Number(rows[0]?.[0]);
    if (rows.length === 1 && Number.isInteger(format) && format > 0) return format;
  } catch (error) {
    if (sqlState(error) !== '42703') throw error;
    throw notOurs(relation, error);
  }
  throw notOurs(relation, undefined);
}

function notOurs(got: string, cause: unknown): DGenError {
  return new DGenError('store_not_ours', 'PostgreSQL schema', {
    expected: 'the tables of this library, or none of their names',
    got,
    cause,
  });
}
