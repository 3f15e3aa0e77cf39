// What a registry asks of the node that it runs on. The composition root gives it; a test gives its own.
import type { Runtime } from '../process/types.ts';

export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

export interface ProbeAnswer {
  /** See `ProbeVerdict` of the distribution. */
  readonly verdict: 'refused' | 'alive' | 'other' | 'unknown';
  /** Who answered, where somebody did. */
  readonly name?: string;
  readonly creation?: number;
}

export interface RegistryNode {
  readonly runtime: Runtime;
  /** Where this node listens; `null` when it does not. */
  readonly address: NodeAddress | null;
  /** Equal on nodes whose addresses lead to each other: one machine, one network namespace. */
  readonly machineId: string;
  /** Creations of earlier starts of this node's name that nobody proved dead. */
  readonly unprovenFormers: readonly number[];
  isConnected(node: string): boolean;
  /** False when it cannot be reached now. Never rejects. */
  connect(node: string): Promise<boolean>;
  /** Where a node listens, and which start of it, by its member record: for connecting to it while the store is away. It must be cheap. */
  learnAddress(node: string, creation: number, address: NodeAddress): void;
  /** Called when a link to a node comes up or goes down. Returns how to stop that. */
  onLink(observer: (node: string, up: boolean) => void): () => void;
  /** Has `guard` run before anything that came from other nodes is acted on. It must be cheap. Returns how to stop that. */
  guardInput(guard: () => void): () => void;
  /**
   * Has the link to a node ended when that gives no sign of life, though asked for one, for as long as the longest of the sessions that
   * `sessionMs` and others like it give: milliseconds, or `undefined` for a node of which this one knows nothing. It must be cheap.
   * Returns how to stop that.
   */
  expectSignsOfLife(sessionMs: (node: string) => number | undefined): () => void;
  /** Asks who listens at exactly that address. Never rejects. */
  probe(
    address: NodeAddress,
    expected: { node: string; creation: number },
    signal: AbortSignal,
  ): Promise<ProbeAnswer>;
}
