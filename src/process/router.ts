// From a destination to what is there: a process of this node, an address on another, or nothing. All sends pass here.
import { DGenError } from '../errors/error.ts';
import { Atom } from '../term/atom.ts';
import { Pid } from '../term/pid.ts';
import { Ref } from '../term/ref.ts';
import type { Aliases } from './aliases.ts';
import type { Delivery } from './delivery.ts';
import { genCast } from './gen-protocol.ts';
import { Cast } from './messages.ts';
import type { Names } from './names.ts';
import type { RemoteAddress } from './outgoing-call.ts';
import type { Peers } from './peers.ts';
import type { ProcessTable } from './process-table.ts';
import { ProcessRecord } from './record.ts';
import type { Destination, Runtime, ViaName } from './types.ts';

export interface RouterParts {
  readonly table: ProcessTable;
  readonly names: Names;
  readonly aliases: Aliases;
  readonly delivery: Delivery;
  readonly peers: Peers;
  /** What via modules are asked for. */
  readonly runtime: Runtime;
}

export class Router {
  readonly #parts: RouterParts;

  constructor(parts: RouterParts) {
    this.#parts = parts;
  }

  /** Undefined: nothing runs there. Throws `badarg` for what is no destination, and what a via module throws. */
  resolve(to: Destination): ProcessRecord | RemoteAddress | undefined {
    const { table, names, aliases, runtime } = this.#parts;
    if (to instanceof Pid) return to.node === table.node ? table.get(to) : to;
    if (typeof to === 'string' || to instanceof Atom) return names.get(to);
    if (to instanceof Ref) return to.node === table.node ? aliases.get(to) : to;
    if (typeof to === 'object' && to !== null) {
      if ('via' in to) {
        const pid = to.via.whereisName(runtime, to.name);
        return pid === undefined ? undefined : this.resolve(pid);
      }
      if (to.node instanceof Atom && to.name instanceof Atom) {
        return to.node === table.node ? names.get(to.name) : to;
      }
    }
    throw new DGenError('badarg', 'a destination', { expected: 'a pid, name or alias', got: typeof to });
  }

  /**
   * Throws `badarg` for a name that nothing has here (as Erlang does; `{name, node}` and pids just go nowhere),
   * `mailbox_full`, and what `Outbound.send` throws. The dead send nothing.
   */
  send(sender: ProcessRecord, to: Destination, message: unknown): void {
    if (!sender.alive) return;
    if (isVia(to)) {
      to.via.send(this.#parts.runtime, to.name, message);
      return;
    }
    const target = this.resolve(to);
    if (target instanceof ProcessRecord) this.#parts.delivery.deliver(target, message);
    else if (target !== undefined) this.#sendRemote(sender, target, message);
    else if (typeof to === 'string' || to instanceof Atom) throw unknownName(to);
  }

  /** Like `send`, but a name that nothing has is no error: who casts does not want to know. */
  cast(sender: ProcessRecord, to: Destination, request: unknown): void {
    if (!sender.alive) return;
    const target = this.resolve(to);
    if (target instanceof ProcessRecord) this.#parts.delivery.deliver(target, new Cast(request));
    else if (target !== undefined) this.#sendRemote(sender, target, genCast(request));
  }

  #sendRemote(sender: ProcessRecord, to: RemoteAddress, message: unknown): void {
    const { outbound } = this.#parts.peers;
    if (outbound === undefined) return;
    this.#parts.peers.checkRoom(to.node);
    if (to instanceof Pid) outbound.send(sender.pid, to, message);
    else if (to instanceof Ref) outbound.sendAlias(sender.pid, to, message);
    else outbound.sendNamed(sender.pid, to, message);
  }
}

export function isVia(to: Destination): to is ViaName {
  return typeof to === 'object' && to !== null && 'via' in to;
}

function unknownName(name: string | Atom): DGenError {
  const text = typeof name === 'string' ? name : name.name;
  return new DGenError('badarg', `no process is registered as ${text}`, { details: { name: text } });
}
