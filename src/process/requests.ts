// Which messages are requests that somebody waits on, wherever they came from.
import { IncomingCall } from './incoming-call.ts';
import { LocalCall } from './local-call.ts';
import type { OpenRequest, ProcessRecord } from './record.ts';

export function isRequest(message: unknown): message is LocalCall | IncomingCall {
  return message instanceof IncomingCall || message instanceof LocalCall;
}

/** The process has taken the message and let go of it: a request that is not answered yet stays tied to the process's life. */
export function keepOpen(record: ProcessRecord, message: unknown): void {
  if (!isRequest(message) || message.answered) return;
  if (!record.alive) {
    message.calleeDied(record.exitReason);
    return;
  }
  const open: Set<OpenRequest> = record.openRequests ?? new Set();
  record.openRequests = open;
  open.add(message);
  if (message instanceof IncomingCall) message.peer.openRequests.add(message);
}
