// The process runtime: sequential processes with mailboxes, links, monitors and calls.
export type {
  CallChannel,
  Inbound,
  NamedTarget,
  Outbound,
  OutgoingRequest,
} from './distribution-port.ts';
export type { RuntimeLimits } from './limits.ts';
export { isCallMessage, isCastMessage, isDownMessage, isExitMessage } from './messages.ts';
export { kill, killed, noconnection, noproc, normal, shutdown } from './reasons.ts';
export type { LocalRuntime, RuntimeOptions } from './runtime.ts';
export { createRuntime } from './runtime.ts';
export type {
  Behaviour,
  CallMessage,
  CastMessage,
  Destination,
  DownMessage,
  ExitMessage,
  From,
  LocalName,
  Process,
  ProcessMain,
  Runtime,
  SpawnOptions,
  ViaModule,
  ViaName,
  WaitOptions,
} from './types.ts';
