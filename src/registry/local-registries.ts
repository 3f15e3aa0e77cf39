// The registries of each node by name, so that a via name, which holds the name of a registry only, finds it.
import { DGenError } from '../errors/error.ts';
import type { Runtime } from '../process/types.ts';
import { inspect, termKey } from '../term/index.ts';

interface Named {
  readonly name: unknown;
}

export class LocalRegistries<T extends Named> {
  readonly #of: WeakMap<Runtime, Map<string | number, T>> = new WeakMap();

  /** Throws `duplicate_registry`, `bad_name`. */
  add(runtime: Runtime, registry: T): void {
    const registries = this.#of.get(runtime) ?? new Map<string | number, T>();
    this.#of.set(runtime, registries);
    const key = termKey(registry.name);
    if (registries.has(key)) {
      throw new DGenError('duplicate_registry', `registry ${inspect(registry.name)}`, {
        expected: `a name not in use on ${runtime.name.name}`,
      });
    }
    registries.set(key, registry);
  }

  remove(runtime: Runtime, registry: T): void {
    const registries = this.#of.get(runtime);
    const key = termKey(registry.name);
    if (registries?.get(key) === registry) registries.delete(key);
  }

  /** Throws `unknown_registry`. */
  find(runtime: Runtime, name: unknown): T {
    const registry = this.#of.get(runtime)?.get(termKey(name));
    if (registry !== undefined) return registry;
    const running = [...(this.#of.get(runtime)?.values() ?? [])].map((one) => inspect(one.name));
    throw new DGenError('unknown_registry', `registry ${inspect(name)} on ${runtime.name.name}`, {
      expected: running.length === 0 ? 'one that was started there' : running.join(', '),
    });
  }
}
