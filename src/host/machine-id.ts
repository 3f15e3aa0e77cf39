// Which machine is this, as far as addresses go? Two processes with the same answer reach each other's listening sockets
// by the same addresses: one boot of one kernel, one network namespace. Only then does a refused connection prove anything.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Text of 32 hexadecimal digits, the same for all processes of one machine and network namespace until the next boot. Where the
 * system does not tell boot and namespace (only Linux does), it is different for every process: then nothing is ever proven.
 */
export function machineId(): string {
  const boot = read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
  const network = read(() => readlinkSync('/proc/self/ns/net'));
  if (boot === '' || network === '') return randomBytes(16).toString('hex');
  return createHash('sha256').update([hostname(), boot, network].join('\n')).digest('hex').slice(0, 32);
}

/** What the system does not tell is the empty text. */
function read(source: () => string): string {
  try {
    return source().trim();
  } catch {
    return '';
  }
}
