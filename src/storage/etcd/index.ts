// The subpath for stores in etcd.
export { etcdOptionsOf } from './address.ts';
export { openEtcd } from './backend.ts';
export type { EtcdOptions, EtcdTlsOptions } from './options.ts';
