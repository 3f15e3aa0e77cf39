// One signal from a peer to the runtime. Also the place for what this library does not offer: a request to spawn is
// answered at once, so that nobody on the other side waits for it.
import type { CallChannel, Inbound, InboundCalls } from '../process/distribution-port.ts';
import { atom } from '../term/atom.ts';
import type { CompactReceiver } from './protocol/compact-decode.ts';
import type { IncomingControl, SpawnReplyControl } from './protocol/control.ts';

export interface DeliverTo {
  readonly inbound: Inbound;
  readonly reply: (answer: SpawnReplyControl) => void;
}

const notSupported = atom('notsup');

export function deliver(control: IncomingControl, { inbound, reply }: DeliverTo): void {
  switch (control.kind) {
    case 'send':
      inbound.onSend(control.from, control.to, control.message);
      break;
    case 'send_named':
      inbound.onSendNamed(control.from, control.name, control.message);
      break;
    case 'send_alias':
      inbound.onSendAlias(control.alias, control.message);
      break;
    case 'link':
      inbound.onLink(control.from, control.to);
      break;
    case 'unlink':
      inbound.onUnlink(control.from, control.to, control.id);
      break;
    case 'unlink_ack':
      inbound.onUnlinkAck(control.from, control.to, control.id);
      break;
    case 'exit':
      inbound.onExit(control.from, control.to, control.reason);
      break;
    case 'exit2':
      inbound.onExit2(control.from, control.to, control.reason);
      break;
    case 'monitor':
      inbound.onMonitor(control.from, control.to, control.ref);
      break;
    case 'demonitor':
      inbound.onDemonitor(control.from, control.to, control.ref);
      break;
    case 'down':
      inbound.onDown(control.from, control.to, control.ref, control.reason);
      break;
    case 'spawn_request':
      reply({
        kind: 'spawn_reply',
        request: control.request,
        to: control.from,
        result: notSupported,
      });
      break;
    case 'ignored':
      break;
    default:
      unreachable(control);
  }
}

/** Private frames of the connection that is that channel, to the runtime. */
export function compactReceiver(
  inbound: Inbound,
  calls: InboundCalls,
  channel: CallChannel,
): CompactReceiver {
  return {
    // biome-ignore lint/complexity/useMaxParams: the receiver gives the signature
    onCall: (number, from, to, request) => calls.onCall(channel, number, from, to, request),
    onAnswer: (number, reply) => calls.onAnswer(channel, number, reply),
    onCalleeGone: (number, reason) => calls.onCalleeGone(channel, number, reason),
    onGivenUp: (number) => calls.onGivenUp(channel, number),
    onSend: (from, to, message) => inbound.onSend(from, to, message),
    onSendNamed: (from, name, message) => inbound.onSendNamed(from, name, message),
  };
}

function unreachable(control: never): never {
  throw new Error(`no receiver for ${(control as { kind: string }).kind}`);
}
