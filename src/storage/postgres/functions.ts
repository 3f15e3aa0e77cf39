// The functions of the store, which run inside the server. Each operation is one call of one of them, by a statement
// outside of any transaction block, so it is a transaction of its own that the server ends by itself: a client that dies,
// stops or is cut off leaves neither a lock nor an idle transaction behind, and a pooler may carry each to another
// connection.
//
// Planner settings belong to the functions, so they hold in every session, also behind a pooler: always by index, never by
// a plan made while the tables were empty; and no JIT, which the huge costs of forbidden plans would start.

/**
 * The head is looked after at every so many commits, or after a second. Each change of it leaves a row for the server to
 * clean up, which a long transaction of anybody else in the database prevents.
 */
const commitsPerStep = 16;
/** Versions whose leftovers are cleared away then: more than were made, so that leftovers do not grow. */
const sweptPerStep = 128;
const snapshotsMs = 30_000;
const markersMs = 600_000;
/** The most that the store's clock advances by one step. */
const clockStepMs = 10_000;

/** What a notification names at most; one has room for 8,000 bytes. */
const toldKeysMax = 200;
const toldBytesMax = 7_000;

const settings = `SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off`;

// Rows of a page in order, then one row without a key: the version of the snapshot, and whether the range holds more. STABLE:
// all of it sees one snapshot of the server.
const readSql = (schema: string): string => `
  CREATE FUNCTION ${schema}.dgen_read(
    p_snapshot bigint, p_begin bytea, p_end bytea, p_limit integer, p_bytes integer, p_reverse boolean
  ) RETURNS TABLE (key bytea, value bytea, version bigint, more boolean)
  LANGUAGE plpgsql STABLE ${settings} AS $f$
  DECLARE
    current bigint;
    known bigint;
    snapshot bigint;
    items refcursor;
    count integer := 0;
    bytes bigint := 0;
  BEGIN
    IF pg_is_in_recovery() THEN RAISE EXCEPTION 'the server is a standby' USING ERRCODE = 'YG004'; END IF;
    SELECT max(m.version) INTO STRICT current FROM ${schema}.dgen_marker m;
    SELECT h.known INTO STRICT known FROM ${schema}.dgen_head h;
    snapshot := coalesce(p_snapshot, current);
    IF snapshot < known OR snapshot > current THEN
      RAISE EXCEPTION 'snapshot % is gone', snapshot USING ERRCODE = 'YG002';
    END IF;
    IF p_reverse THEN
      OPEN items NO SCROLL FOR
        SELECT s.key, s.value FROM ${schema}.dgen_state s
          WHERE s.key >= p_begin AND s.key < p_end AND s.since <= snapshot AND s.until > snapshot
          ORDER BY s.key DESC LIMIT p_limit + 1;
    ELSE
      OPEN items NO SCROLL FOR
        SELECT s.key, s.value FROM ${schema}.dgen_state s
          WHERE s.key >= p_begin AND s.key < p_end AND s.since <= snapshot AND s.until > snapshot
          ORDER BY s.key LIMIT p_limit + 1;
    END IF;
    LOOP
      FETCH items INTO key, value;
      more := FOUND;
      EXIT WHEN NOT FOUND OR count >= p_limit OR bytes >= p_bytes;
      count := count + 1;
      bytes := bytes + octet_length(key) + octet_length(value);
      RETURN NEXT;
    END LOOP;
    CLOSE items;
    key := NULL;
    value := NULL;
    version := snapshot;
    RETURN NEXT;
  END $f$;
`;

// Commits wait for each other at an advisory lock, so each judges the state that its predecessors left, and their versions
// are in the order in which they become visible. The lock saves refusals; that nobody came between is made sure by the
// primary key of the markers, whatever the isolation level.
const commitSql = (schema: string): string => `
  CREATE FUNCTION ${schema}.dgen_commit(
    p_wait_ms integer, p_snapshot bigint, p_begins bytea[], p_ends bytea[],
    p_kinds text[], p_keys bytea[], p_values bytea[], p_id bytea, p_attempt integer,
    OUT status text, OUT detail bigint
  ) LANGUAGE plpgsql VOLATILE ${settings} SET lock_timeout = 1000 AS $f$
  DECLARE
    h ${schema}.dgen_head%ROWTYPE;
    was bigint;
    wall bigint := floor(extract(epoch FROM clock_timestamp()) * 1000);
  BEGIN
    PERFORM set_config('lock_timeout', p_wait_ms::text, true);
    IF current_setting('synchronous_commit') = 'off' THEN
      PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    PERFORM pg_advisory_xact_lock((x'6467656e'::bigint << 32) | '${schema}.dgen_head'::regclass::oid::bigint);
    SELECT max(m.version) INTO STRICT was FROM ${schema}.dgen_marker m;
    SELECT * INTO STRICT h FROM ${schema}.dgen_head;
    IF p_id IS NOT NULL THEN
      SELECT m.attempt INTO detail FROM ${schema}.dgen_marker m WHERE m.id = p_id;
      IF FOUND THEN status := 'earlier'; RETURN; END IF;
    END IF;
    IF cardinality(p_begins) > 0 AND p_snapshot <> was THEN
      IF p_snapshot < h.known OR p_snapshot > was THEN status := 'too_old'; RETURN; END IF;
      IF EXISTS (
        SELECT FROM ${schema}.dgen_past p, unnest(p_begins, p_ends) r(low, high)
          WHERE p.until > p_snapshot AND p.key >= r.low AND p.key < r.high
      ) THEN status := 'conflict'; RETURN; END IF;
    END IF;
    status := 'now';
    detail := was;
    IF p_id IS NULL AND cardinality(p_kinds) = 0 THEN RETURN; END IF;
    detail := was + 1;
    INSERT INTO ${schema}.dgen_marker (version, id, attempt) VALUES (detail, p_id, p_attempt)
      ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN RAISE EXCEPTION 'another commit came between' USING ERRCODE = '40001'; END IF;
    PERFORM ${schema}.dgen_write(detail, p_kinds, p_keys, p_values);
    IF detail % ${commitsPerStep} = 0 OR wall - h.wall_ms >= 1000 THEN
      PERFORM ${schema}.dgen_step(detail, wall);
    END IF;
  END $f$;
`;

// Moves the clock of the store and what depends on it, and clears away what nobody needs any more, a part at a time.
// The versions are the condition: the dead rows of what was cleared away before are never looked at again.
const stepSql = (schema: string): string => `
  CREATE FUNCTION ${schema}.dgen_step(p_version bigint, p_wall bigint) RETURNS void
  LANGUAGE plpgsql VOLATILE AS $f$
  DECLARE
    h ${schema}.dgen_head%ROWTYPE;
    past_from bigint;
    markers_from bigint;
  BEGIN
    SELECT * INTO STRICT h FROM ${schema}.dgen_head;
    past_from := h.swept;
    markers_from := h.markers_swept;
    h.clock_ms := h.clock_ms + least(greatest(p_wall - h.wall_ms, 0), ${clockStepMs});
    IF h.clock_ms - h.turned_ms >= ${snapshotsMs} THEN
      h.known := h.next_known;
      h.next_known := p_version;
      h.turned_ms := h.clock_ms;
    END IF;
    IF h.clock_ms - h.markers_turned_ms >= ${markersMs} THEN
      h.markers_known := h.markers_next_known;
      h.markers_next_known := p_version;
      h.markers_turned_ms := h.clock_ms;
    END IF;
    h.swept := greatest(past_from, least(h.known, past_from + ${sweptPerStep}));
    h.markers_swept := greatest(markers_from, least(h.markers_known, markers_from + ${sweptPerStep}));
    UPDATE ${schema}.dgen_head SET known = h.known, next_known = h.next_known, turned_ms = h.turned_ms,
      swept = h.swept, markers_known = h.markers_known, markers_next_known = h.markers_next_known,
      markers_turned_ms = h.markers_turned_ms, markers_swept = h.markers_swept,
      clock_ms = h.clock_ms, wall_ms = p_wall;
    IF h.swept > past_from THEN
      DELETE FROM ${schema}.dgen_past p WHERE p.until > past_from AND p.until <= h.swept;
    END IF;
    IF h.markers_swept > markers_from THEN
      DELETE FROM ${schema}.dgen_marker m WHERE m.version > markers_from AND m.version <= h.markers_swept;
    END IF;
  END $f$;
`;

// What a key held before this version goes to the past once, however often this version writes it.
const writeSql = (schema: string): string => `
  CREATE FUNCTION ${schema}.dgen_write(p_version bigint, p_kinds text[], p_keys bytea[], p_values bytea[])
  RETURNS void LANGUAGE plpgsql VOLATILE AS $f$
  DECLARE
    kind text;
    k bytea;
    x bytea;
    old record;
    sum integer;
  BEGIN
    FOR i IN 1 .. cardinality(p_kinds) LOOP
      kind := p_kinds[i];
      k := p_keys[i];
      x := p_values[i];
      IF kind = 'clearRange' THEN
        WITH gone AS (DELETE FROM ${schema}.dgen_item d WHERE d.key >= k AND d.key < x RETURNING *)
          INSERT INTO ${schema}.dgen_past (key, until, since, value)
          SELECT gone.key, p_version, gone.since, gone.value FROM gone ON CONFLICT DO NOTHING;
        CONTINUE;
      END IF;
      SELECT d.since, d.value INTO old FROM ${schema}.dgen_item d WHERE d.key = k;
      CONTINUE WHEN kind = 'clear' AND NOT FOUND;
      INSERT INTO ${schema}.dgen_past (key, until, since, value) VALUES (k, p_version, old.since, old.value)
        ON CONFLICT DO NOTHING;
      IF kind = 'clear' THEN
        DELETE FROM ${schema}.dgen_item d WHERE d.key = k;
        CONTINUE;
      ELSIF kind = 'add' THEN
        old.value := coalesce(old.value, '\\x0000000000000000'::bytea);
        IF octet_length(old.value) <> 8 OR octet_length(x) <> 8 THEN
          RAISE EXCEPTION '% and % bytes', octet_length(old.value), octet_length(x) USING ERRCODE = 'YG003';
        END IF;
        sum := 0;
        FOR byte IN 0 .. 7 LOOP
          sum := sum + get_byte(old.value, byte) + get_byte(x, byte);
          x := set_byte(x, byte, sum & 255);
          sum := sum >> 8;
        END LOOP;
      ELSIF kind = 'max' THEN
        x := greatest(old.value, x);
      END IF;
      INSERT INTO ${schema}.dgen_item (key, value, since) VALUES (k, x, p_version)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, since = excluded.since;
    END LOOP;
  END $f$;
`;

// The changes after a version, one row each, in no order; a row without a key when there are none. At most `p_limit` rows.
const changesSql = (schema: string): string => `
  CREATE FUNCTION ${schema}.dgen_changes(p_after bigint, p_limit integer)
  RETURNS TABLE (version bigint, known bigint, until bigint, key bytea)
  LANGUAGE plpgsql STABLE ${settings} AS $f$
  BEGIN
    IF pg_is_in_recovery() THEN RAISE EXCEPTION 'the server is a standby' USING ERRCODE = 'YG004'; END IF;
    RETURN QUERY SELECT v.version, h.known, c.until, c.key
      FROM (SELECT max(m.version) AS version FROM ${schema}.dgen_marker m) v, ${schema}.dgen_head h
      LEFT JOIN LATERAL (
        SELECT p.until, p.key FROM ${schema}.dgen_past p WHERE p.until > p_after LIMIT p_limit
      ) c ON true;
  END $f$;
`;

// Not in the transaction that commits: a notification there would take a lock that all commits of the server share.
// One statement per version, so that its keys cannot be cleared away between being found known and being read.
const ringSql = (schema: string): string => `
  CREATE FUNCTION ${schema}.dgen_ring(p_versions bigint[]) RETURNS void
  LANGUAGE plpgsql VOLATILE ${settings} AS $f$
  DECLARE
    v bigint;
  BEGIN
    FOREACH v IN ARRAY p_versions LOOP
      PERFORM pg_notify('dgen:${schema}:' || h.token,
          CASE WHEN v > h.known AND c.n <= ${toldKeysMax} AND octet_length(c.told) <= ${toldBytesMax}
            THEN v || ':' || c.told ELSE v::text END)
        FROM ${schema}.dgen_head h, (
          SELECT count(*) AS n, coalesce(string_agg(encode(p.key, 'base64'), ','), '') AS told
            FROM (SELECT key FROM ${schema}.dgen_past WHERE until = v LIMIT ${toldKeysMax} + 1) p
        ) c;
    END LOOP;
  END $f$;
`;

// The name of the channel is a secret of those who may read the store: anybody in the database may listen and notify.
const listenSql = (schema: string): string => `
  CREATE FUNCTION ${schema}.dgen_listen() RETURNS void
  LANGUAGE plpgsql VOLATILE ${settings} AS $f$
  BEGIN
    EXECUTE format('LISTEN %I', (SELECT 'dgen:${schema}:' || h.token FROM ${schema}.dgen_head h));
  END $f$;
`;

export function functionsSql(schema: string): string {
  const all = [readSql, writeSql, stepSql, commitSql, changesSql, ringSql, listenSql];
  return all.map((sql) => sql(schema)).join('');
}
