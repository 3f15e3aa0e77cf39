// The same cases with three members, which agree by majority; what happens to the server happens to all of them.
import { after, before, describe, test } from 'node:test';
import { conformance } from '../../src/storage/conformance/index.ts';
import { EtcdServer } from '../support/etcd-server.ts';
import { etcdTarget } from './conformance-target.ts';

let server: EtcdServer;

describe('etcd, three members', () => {
  before(async () => {
    server = await EtcdServer.start({ size: 3 });
  });
  after(() => server.dispose());
  for (const { name, skip, run } of conformance({ create: () => etcdTarget(server) })) {
    test(name, { skip: skip ?? false, timeout: 60_000 }, run);
  }
});
