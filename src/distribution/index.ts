// Nodes connected over TCP by Erlang's distribution protocol.
export type { Address, DistributionLimits } from './options.ts';
export type { Distribution } from './tcp.ts';
export { createDistribution } from './tcp.ts';
