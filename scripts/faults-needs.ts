// What the faults suite needs of the machine, found out by doing it: network namespaces with links, a bridge, a TUN device
// and a packet filter, in one namespace that is made for this and removed again.
import { execFileSync } from 'node:child_process';

type Command = readonly [string, ...string[]];

/** Why the suite cannot run here; undefined when it can. */
export function faultsLack(): string | undefined {
  if (process.getuid?.() !== 0) return 'namespaces are for root';
  const trial = `dgenfaults${process.pid}-trial`;
  const lack = firstFailure([
    ['ip', 'netns', 'add', trial],
    ['ip', 'link', 'add', 'eth0', 'netns', trial, 'type', 'veth', 'peer', 'name', 'eth1', 'netns', trial],
    ['ip', '-n', trial, 'link', 'add', 'bridge0', 'type', 'bridge'],
    ['ip', '-n', trial, 'tuntap', 'add', 'dev', 'wire0', 'mode', 'tun'],
    ['ip', 'netns', 'exec', trial, 'nft', 'add', 'table', 'inet', 'faults'],
    ['perl', '-e', '1'],
    ['etcd', '--version'],
  ]);
  // Without the program, or without the namespace, there is nothing to remove.
  firstFailure([['ip', 'netns', 'delete', trial]]);
  return lack;
}

function firstFailure(commands: readonly Command[]): string | undefined {
  for (const [program, ...args] of commands) {
    try {
      execFileSync(program, args, { stdio: 'pipe' });
    } catch (error) {
      return error instanceof Error ? error.message.trim() : String(error);
    }
  }
  return undefined;
}
