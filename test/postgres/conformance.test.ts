// PostgreSQL runs the same cases as the reference, with two connections per client as in production: transactions of one
// client share the one that works.
import { after, before, describe, test } from 'node:test';
import { nodeHost } from '../../src/host/index.ts';
import { type ConformanceTarget, conformance } from '../../src/storage/conformance/index.ts';
import { openPostgres } from '../../src/storage/postgres/index.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { tcpTarget } from '../support/tcp-link.ts';

const host = nodeHost();
let server: PostgresServer;
let schemas = 0;

/** A schema of its own for each case, in the one server of this file. */
async function create(): Promise<ConformanceTarget> {
  const schema = `case_${++schemas}`;
  return tcpTarget({
    port: server.port,
    connect: (port) =>
      openPostgres({ url: server.url({ port }), schema, connectTimeoutMs: 1_000, answerTimeoutMs: 1_000 }),
    restart: async () => {
      await server.stop('immediate');
      await server.up();
    },
    pauseServer: () => server.pause(),
    resumeServer: () => server.resume(),
    compact: async () => {
      await server.sql(`UPDATE ${schema}.dgen_head h SET known = v.version, next_known = v.version
        FROM (SELECT max(version) AS version FROM ${schema}.dgen_marker) v`);
      await server.sql(`DELETE FROM ${schema}.dgen_past`);
    },
    dropNotifications: async () => {
      await server.sql(`CREATE OR REPLACE FUNCTION ${schema}.dgen_ring(p_versions bigint[]) RETURNS void
        LANGUAGE sql AS $$ SELECT NULL::void $$`);
    },
  });
}

describe('postgres', () => {
  before(async () => {
    server = await PostgresServer.start();
  });
  after(() => server.dispose());
  for (const { name, skip, run } of conformance({ host, create })) {
    test(name, { skip: skip ?? false, timeout: 60_000 }, run);
  }
});
