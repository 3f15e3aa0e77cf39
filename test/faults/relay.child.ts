// Brings a server that listens on a unix socket, which no network namespace confines, to an address of this machine: what it
// is given are that address, the port, and the path of the socket.
import { connect, createServer } from 'node:net';

const [host = '', port = '', path = ''] = process.argv.slice(2);

const server = createServer((near) => {
  const far = connect(path);
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.pipe(other);
    // A connection that breaks on one side breaks on the other.
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
});
server.listen(Number(port), host, () => process.send?.('ready'));
process.on('disconnect', () => process.exit(1));
