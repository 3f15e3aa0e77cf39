// Servers and supervisors.
export { addressOf, call, callRaw, cast, castRaw } from './call.ts';
export { NoReply, noReply, Refusal, ReplyLater, refuse } from './control.ts';
export { GenServer } from './gen-server.ts';
export { exitReason, isNormalExit } from './reasons.ts';
export { type Server, start, startLink } from './start.ts';
export { type StopOptions, stop } from './stop.ts';
export type {
  CallArguments,
  Caller,
  CallNames,
  CallParameters,
  CallReply,
  CastArguments,
  Caster,
  CastNames,
  HandlerTable,
  InitArgument,
  RawCastRequest,
  RawReply,
  RawRequest,
  ServerAddress,
  ServerCallbacks,
  ServerClass,
  ServerPid,
  Serves,
  StartArguments,
  StartOptions,
} from './types.ts';
export { Within, within } from './within.ts';
