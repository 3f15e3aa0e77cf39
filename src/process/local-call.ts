// A call within this node. One object is the promise's handle, the message in the callee's mailbox and the address for
// the answer: a call allocates nothing else.
import type { Pid } from '../term/pid.ts';
import type { CallParts } from './calls.ts';
import { PendingCall } from './pending-call.ts';
import type { OpenRequest, ProcessRecord } from './record.ts';
import type { CallMessage, From } from './types.ts';

export class LocalCall extends PendingCall implements CallMessage, From, OpenRequest {
  readonly kind = 'call';
  callee!: ProcessRecord;

  get from(): From {
    return this;
  }

  get pid(): Pid {
    return this.caller.pid;
  }

  begin(parts: CallParts): void {
    parts.delivery.deliverSignal(this.callee, this);
  }

  describe(): string {
    return String(this.callee);
  }

  protected released(): void {
    this.callee.openRequests?.delete(this);
  }
}
