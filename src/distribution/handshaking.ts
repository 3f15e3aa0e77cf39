// Runs a handshake machine over a socket: feeds it what arrives, writes what it says, keeps the deadline, and reports
// exactly one result. After `done` the socket belongs to whoever gets the result, which must attach its own listeners
// before it returns; in every other case the socket is destroyed here.
import type { Timers } from '../host/ports.ts';
import type { Handshake, HandshakeOutcome } from './protocol/handshake.ts';
import type { ByteStream } from './transport.ts';

export type HandshakeResult =
  | HandshakeOutcome
  /** The other side hung up, or the connection broke. */
  | {
      readonly kind: 'closed';
      readonly waitingFor: string;
      readonly bytesReceived: number;
      readonly cause: Error | undefined;
    }
  | { readonly kind: 'timeout'; readonly waitingFor: string }
  /** `cancel` was called. */
  | { readonly kind: 'cancelled' };

export interface HandshakeRun {
  readonly socket: ByteStream;
  readonly machine: Handshake;
  readonly timers: Timers;
  readonly timeoutMs: number;
  readonly onResult: (result: HandshakeResult) => void;
}

/** Returns `cancel`, which does nothing after the result. */
export function runHandshake({ socket, machine, timers, timeoutMs, onResult }: HandshakeRun): () => void {
  let finished = false;
  let bytesReceived = 0;
  let cause: Error | undefined;
  const timer = timers.after(timeoutMs, () => finish({ kind: 'timeout', waitingFor: machine.waitingFor }));

  const onData = (chunk: Uint8Array): void => {
    bytesReceived += chunk.length;
    const step = machine.receive(chunk);
    for (const bytes of step.send) socket.write(bytes);
    if (step.outcome !== undefined) finish(step.outcome);
  };
  const onClose = (): void =>
    finish({ kind: 'closed', waitingFor: machine.waitingFor, bytesReceived, cause });
  const onError = (error: Error): void => {
    cause = error;
    onClose();
  };

  function finish(result: HandshakeResult): void {
    if (finished) return;
    finished = true;
    timer.cancel();
    socket.off('data', onData).off('end', onClose).off('close', onClose);
    if (result.kind !== 'done') dismiss(socket, result.kind, timers);
    onResult(result);
    // Last, so that no moment passes in which an error of the socket has no listener.
    if (result.kind === 'done') socket.off('error', onError);
  }

  socket.on('data', onData).on('end', onClose).on('close', onClose).on('error', onError);
  return () => finish({ kind: 'cancelled' });
}

const lastWordsMs = 1_000;

/** A refusal, or the answer to a probe, must still reach the other side; whatever else is said was garbage. */
function dismiss(socket: ByteStream, kind: HandshakeResult['kind'], timers: Timers): void {
  if (kind !== 'refused' && kind !== 'probed') {
    socket.destroy();
    return;
  }
  // Unread input would turn the close into a reset, which may destroy the answer on its way.
  socket.resume();
  socket.destroySoon();
  const timer = timers.after(lastWordsMs, () => socket.destroy(), { background: true });
  socket.once('close', () => timer.cancel());
}
