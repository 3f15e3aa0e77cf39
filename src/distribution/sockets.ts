// The transport of production: TCP by Node's sockets.
import { createConnection, createServer, type Server } from 'node:net';
import type { Listening, ListenRequest, Transport } from './transport.ts';

export const sockets: Transport = {
  dial: ({ host, port }) => createConnection({ host, port, noDelay: true }),
  listen,
};

function listen({ host, port, onStream, onError }: ListenRequest): Promise<Listening> {
  const server = createServer({ noDelay: true }, onStream);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      server.on('error', onError);
      resolve({ port: portOf(server) ?? port, close: () => close(server) });
    });
  });
}

function portOf(server: Server): number | undefined {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : undefined;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
