// The ports of the host, the real ones, and the simulated ones for tests.
export type { NodeHostOptions } from './node-host.ts';
export { nodeHost } from './node-host.ts';
export type { Clock, Host, Instant, Log, Random, TimerHandle, Timers } from './ports.ts';
export { silentLog } from './ports.ts';
export { seededRandom } from './seeded-random.ts';
export type { SimulatedHostOptions } from './simulated-host.ts';
export { SimulatedHost, simulatedHost } from './simulated-host.ts';
