// Nodes connected over TCP by Erlang's distribution protocol.
export type {
  Address,
  DistributionLimits,
  DistributionOptions,
  ListenOptions,
} from './options.ts';
export type { ProbeExpectation, ProbeOptions, ProbeVerdict } from './probe.ts';
export type { ConnectedNode, Distribution, DistributionStats, Unobserve } from './tcp.ts';
export { createDistribution } from './tcp.ts';
