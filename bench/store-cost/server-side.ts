// What a server of a store says itself of what it was asked: beneath the port a backend listens, looks and keeps its
// connections alive, and none of that is counted above.
import { Client } from 'pg';

/** Requests answered, and events sent to watchers, since the server began; undefined where nobody counts. */
export async function answeredBy(address: string): Promise<number | undefined> {
  if (address.startsWith('etcd://')) return answeredByEtcd(address);
  if (address.startsWith('postgres')) return answeredByPostgres(address);
  return undefined;
}

/** Of the first member. */
async function answeredByEtcd(address: string): Promise<number> {
  const [, member = ''] = /^etcd:\/\/(?:[^@/]*@)?([^,/]+)/.exec(address) ?? [];
  const metrics = await (await fetch(`http://${member}/metrics`)).text();
  const lines = metrics.split('\n').filter((line) => {
    const isPush = line.startsWith('grpc_server_msg_sent_total') && line.includes('"Watch"');
    return isPush || line.startsWith('grpc_server_handled_total');
  });
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** Transactions in the database. Those of a moment ago may be missing. */
async function answeredByPostgres(address: string): Promise<number> {
  const client = new Client({ connectionString: address });
  await client.connect();
  try {
    const text =
      'SELECT xact_commit + xact_rollback AS answered FROM pg_stat_database WHERE datname = current_database()';
    const { rows } = await client.query<{ answered: string }>(text);
    return Number(rows[0]?.answered);
  } finally {
    await client.end();
  }
}
