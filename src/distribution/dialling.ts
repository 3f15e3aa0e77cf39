// One attempt at one address: open a socket, run the handshake, report one result.
import type { Timers } from '../host/ports.ts';
import { type HandshakeResult, runHandshake } from './handshaking.ts';
import type { Address } from './options.ts';
import { Dialler, type HandshakeSelf } from './protocol/handshake.ts';
import type { ByteStream, Transport } from './transport.ts';

export interface DialRequest {
  readonly transport: Transport;
  readonly address: Address;
  readonly self: HandshakeSelf;
  /** Full name of the node that must answer. */
  readonly expected: string;
  readonly probe?: boolean;
  readonly timers: Timers;
  /** For the handshake. */
  readonly timeoutMs: number;
  /** For the connection; default `timeoutMs`. */
  readonly openTimeoutMs?: number;
}

export type DialResult =
  | HandshakeResult
  /** No connection could be opened. `refused`: somebody is there and said that nobody listens on the port. `silent`: nobody said anything in time. */
  | {
      readonly kind: 'unreachable';
      readonly refused: boolean;
      readonly silent: boolean;
      readonly cause: Error;
    };

export type OnDialResult = (result: DialResult, socket: ByteStream) => void;

/** Returns `cancel`, after which there is no result. */
export function dial(request: DialRequest, onResult: OnDialResult): () => void {
  const { address, timers, timeoutMs, openTimeoutMs = timeoutMs } = request;
  const socket = request.transport.dial(address);
  let cancelHandshake: (() => void) | undefined;
  let cancelled = false;
  const timer = timers.after(openTimeoutMs, () => {
    fail(new Error(`no connection within ${openTimeoutMs} ms`), true);
  });

  const fail = (cause: Error, silent = false): void => {
    stopConnecting();
    // A late error of the socket has nobody to tell.
    socket.on('error', ignore);
    socket.destroy();
    if (!cancelled) onResult({ kind: 'unreachable', refused: isRefused(cause), silent, cause }, socket);
  };
  const connected = (): void => {
    if (isConnectedToItself(socket)) {
      const cause = Object.assign(new Error('connected to itself'), { code: 'ECONNREFUSED' });
      fail(cause);
      return;
    }
    const machine = new Dialler(request);
    cancelHandshake = runHandshake({
      socket,
      machine,
      timers,
      timeoutMs,
      onResult: (result) => {
        if (!cancelled) onResult(result, socket);
      },
    });
    stopConnecting();
    socket.write(machine.hello);
  };
  function stopConnecting(): void {
    timer.cancel();
    socket.off('connect', connected).off('error', fail);
  }

  socket.on('connect', connected).on('error', fail);
  return () => {
    if (cancelled) return;
    cancelled = true;
    if (cancelHandshake === undefined) fail(new Error('cancelled'));
    else cancelHandshake();
  };
}

/** TCP lets a socket whose own port was drawn from the same range meet itself where nobody listens. */
function isConnectedToItself(socket: ByteStream): boolean {
  return socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress;
}

/** With several addresses behind a name, each of them must have refused. */
function isRefused(error: Error): boolean {
  if (error instanceof AggregateError)
    return error.errors.every((each) => each instanceof Error && isRefused(each));
  return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
}

function ignore(): void {
  // Deliberately nothing: the socket is destroyed and its attempt reported.
}
