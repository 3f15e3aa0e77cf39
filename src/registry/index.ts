// The door to the registry.
export type { DeleteOptions, Deletion } from './deletion.ts';
export type { NodeAddress, ProbeAnswer, RegistryNode } from './host-node.ts';
export type { RegistryOptions } from './options.ts';
export {
  type FullName,
  type HasRuntime,
  type MemberId,
  Registry,
  type RegistryStatus,
  type WaitFor,
} from './registry.ts';
export { compareTokens, type FencingToken, fencingToken, type Lookup, type Registration } from './results.ts';
