// Which start of a node name is which, as the store tells it, and what follows from that: a member record of a later start
// proves the end of an earlier one that it does not list as unproven. The rule is that of the elector; the simulator
// knows who runs, and sees to it that no proof is mistaken. And who answers to a name that two machines share.
import { hasReplaced } from '../registry/elector.ts';
import type { MemberKey } from '../registry/protocol/types.ts';
import type { SimNode } from './machine.ts';

type Info = Parameters<typeof hasReplaced>[0];

interface Start {
  readonly machine: SimNode;
  readonly boot: number;
  readonly unproven: readonly number[];
}

export class Names {
  readonly #starts: Map<string, Start[]> = new Map();
  readonly #infos: Map<MemberKey, Info> = new Map();
  readonly #last: Map<string, string> = new Map();
  readonly #routes: Map<string, string> = new Map();

  /** A start of the node: returns its creation. `proven`: a look at the start before showed that it has ended, where anything can. */
  begin(machine: SimNode, proven: boolean): number {
    const { nodeName } = machine;
    const starts = this.#starts.get(nodeName) ?? [];
    this.#starts.set(nodeName, starts);
    const former = starts.at(-1);
    const unproven = [...(former?.unproven ?? [])];
    if (former !== undefined && !(proven && former.machine === machine && former.boot !== machine.boot))
      unproven.push(starts.length);
    starts.push({ machine, boot: machine.boot, unproven });
    this.#last.set(nodeName, machine.name);
    return starts.length;
  }

  note(member: MemberKey, machine: SimNode): void {
    const { nodeName, creation, generation } = machine;
    const unprovenFormers = this.#starts.get(nodeName)?.[creation - 1]?.unproven ?? [];
    this.#infos.set(member, {
      member,
      node: nodeName,
      creation,
      generation,
      address: null,
      machineId: machine.name,
      unprovenFormers,
    });
  }

  /** Whom the records of these members prove dead. */
  replaced(members: readonly MemberKey[]): MemberKey[] {
    const infos = members.flatMap((member) => this.#infos.get(member) ?? []);
    return infos
      .filter((info) => infos.some((other) => other.node === info.node && hasReplaced(other, info)))
      .map(({ member }) => member);
  }

  /** The machine that gets what `from` sends to the node of that name. */
  route(from: SimNode, nodeName: string): string {
    if (from.nodeName === nodeName) return from.name;
    return this.#routes.get(`${from.name}>${nodeName}`) ?? this.#last.get(nodeName) ?? nodeName;
  }

  /** From now on what `from` sends to that name goes to this machine. */
  setRoute(from: string, nodeName: string, machine: string): void {
    this.#routes.set(`${from}>${nodeName}`, machine);
  }

  /** Everybody reaches this machine by the name. */
  settle(machine: SimNode): void {
    for (const route of this.#routes.keys())
      if (route.endsWith(`>${machine.nodeName}`)) this.#routes.delete(route);
    this.#last.set(machine.nodeName, machine.name);
  }
}
