// Which machine is this, as far as addresses go? Two processes with the same answer reach each other's listening sockets
// by the same addresses: one boot of one kernel, one network namespace. Only then does a refused connection prove anything.
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Text of 32 hexadecimal digits, the same for all processes of one machine and network namespace until the next boot. */
export function machineId(): string {
  const parts = [
    hostname(),
    read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
    read(() => readFileSync('/etc/machine-id', 'utf8')),
    read(() => readlinkSync('/proc/self/ns/net')),
  ];
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32);
}

/** Systems that lack one of them are told apart by the others. */
function read(source: () => string): string {
  try {
    return source().trim();
  } catch {
    return '';
  }
}
