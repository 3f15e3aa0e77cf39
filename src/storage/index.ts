// The door to storage: the port that backends implement, the reference backend, and the layer that everybody uses.
export { compareBytes, concatBytes, keyAfter, rangeOfKey } from './bytes.ts';
export { allKeys, keyOf, partsOf, prefixRange, rangeUnder } from './keys.ts';
export {
  type FaultSource,
  type MemoryConnectOptions,
  MemoryDatabase,
  type MemoryFault,
  type MemoryHost,
  type MemoryOperation,
  memoryBackend,
} from './memory.ts';
export type { Move } from './move.ts';
export { movingStore } from './moving.ts';
export {
  type Backend,
  type Bytes,
  type Commit,
  type CommitResult,
  type KeyRange,
  limits,
  type Mutation,
  type RangeOptions,
  type RangePage,
  type StoreTransaction,
  type WaitOptions,
  type Watch,
} from './port.ts';
export type { Transaction } from './recording.ts';
export {
  type KeySpace,
  type OpenStoreOptions,
  openStore,
  type Store,
  type StoreHost,
  type Tenant,
} from './store.ts';
export { type TransactOptions, transact } from './transact.ts';
