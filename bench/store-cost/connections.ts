// How many connections this process has to a store, as Linux sees it: descriptors of a SQLite file, or sockets to the ports of
// a server.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const established = '01';

/** `address` as `storeAt` takes it. */
export function connectionsTo(address: string): number {
  const targets = readdirSync('/proc/self/fd').map(targetOf);
  if (address.startsWith('sqlite:')) return targets.filter((target) => `sqlite:${target}` === address).length;
  const ports = new Set([...address.matchAll(/:(\d+)(?=[,/?]|$)/g)].map(([, port]) => Number(port)));
  const sockets = ['/proc/self/net/tcp', '/proc/self/net/tcp6'].flatMap((file) => socketsTo(ports, file));
  return sockets.filter((inode) => targets.includes(`socket:[${inode}]`)).length;
}

function targetOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return 'closed meanwhile';
  }
}

/** Inodes of the established connections to these ports, of whatever process. */
function socketsTo(ports: ReadonlySet<number>, file: string): string[] {
  const lines = readFileSync(file, 'utf8').trim().split('\n').slice(1);
  return lines.flatMap((line) => {
    const [, , remote = '', state, , , , , , inode = ''] = line.trim().split(/\s+/);
    const port = Number.parseInt(remote.slice(remote.lastIndexOf(':') + 1), 16);
    return state === established && ports.has(port) ? [inode] : [];
  });
}
