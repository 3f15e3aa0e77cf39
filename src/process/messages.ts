// The messages that the runtime itself puts into a mailbox. They are classes so that nothing a user sends can be taken
// for one of them, whatever its fields: tell them apart by the predicates here.
import type { Pid } from '../term/pid.ts';
import type { Ref } from '../term/ref.ts';
import type { NamedTarget } from './distribution-port.ts';
import { isRequest } from './requests.ts';
import type { CallMessage, CastMessage, DownMessage, ExitMessage, ViaName } from './types.ts';

export class Cast implements CastMessage {
  readonly kind = 'cast';
  readonly request: unknown;

  constructor(request: unknown) {
    this.request = request;
  }
}

export class Down implements DownMessage {
  readonly kind = 'down';
  readonly ref: Ref;
  readonly target: Pid | NamedTarget | ViaName;
  readonly reason: unknown;

  constructor(ref: Ref, target: Pid | NamedTarget | ViaName, reason: unknown) {
    this.ref = ref;
    this.target = target;
    this.reason = reason;
  }
}

export class Exit implements ExitMessage {
  readonly kind = 'exit';
  readonly from: Pid;
  readonly reason: unknown;

  constructor(from: Pid, reason: unknown) {
    this.from = from;
    this.reason = reason;
  }
}

export function isCallMessage(message: unknown): message is CallMessage {
  return isRequest(message);
}

export function isCastMessage(message: unknown): message is CastMessage {
  return message instanceof Cast;
}

export function isDownMessage(message: unknown): message is DownMessage {
  return message instanceof Down;
}

export function isExitMessage(message: unknown): message is ExitMessage {
  return message instanceof Exit;
}
