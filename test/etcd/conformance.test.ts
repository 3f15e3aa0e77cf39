// etcd runs the same cases as the reference.
import { after, before, describe, test } from 'node:test';
import { conformance } from '../../src/storage/conformance/index.ts';
import { EtcdServer } from '../support/etcd-server.ts';
import { etcdTarget } from './conformance-target.ts';

let server: EtcdServer;

describe('etcd', () => {
  before(async () => {
    server = await EtcdServer.start();
  });
  after(() => server.dispose());
  for (const { name, skip, run } of conformance({ create: () => etcdTarget(server) })) {
    test(name, { skip: skip ?? false, timeout: 60_000 }, run);
  }
});
