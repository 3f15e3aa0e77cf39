// The sockets that a gRPC channel opens. The package lets go of a connection only in good order, and of one that is being made
// not at all: towards a silent peer that lasts for minutes, and keeps the process alive. Node.js tells of every new socket, and the
// asynchronous context tells whose it is; so the owner of a channel can end them. Where a release of Node.js tells nothing,
// there is nothing to end, and the rest works as before.
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

const owner = new AsyncLocalStorage<OwnedSockets>();

let listening = false;

function listen(): void {
  if (listening) return;
  listening = true;
  subscribe('net.client.socket', (message) => {
    const { socket } = (message ?? {}) as { socket?: Socket };
    if (typeof socket?.once === 'function') owner.getStore()?.adopt(socket);
  });
}

export class OwnedSockets {
  readonly #sockets: Set<Socket> = new Set();
  #ended = false;

  constructor() {
    listen();
  }

  /** The sockets that `action` opens, also later by what it sets going, are owned. */
  run<T>(action: () => T): T {
    return owner.run(this, action);
  }

  adopt(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // It is not complete yet at this moment.
    if (this.#ended) process.nextTick(() => socket.destroy());
  }

  /** Ends them without a farewell, and those that are still to come. */
  end(): void {
    this.#ended = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}
