// Servers and supervisors.
export { addressOf, call, callRaw, cast, castRaw } from './call.ts';
export {
  type ChildOptions,
  type ChildSpec,
  type ChildStartOptions,
  child,
  type Restart,
  type ServerStart,
  type StartFunction,
} from './child-spec.ts';
export { NoReply, noReply, Refusal, ReplyLater, refuse } from './control.ts';
export {
  DynamicSupervisor,
  type DynamicSupervisorCalls,
  type DynamicSupervisorOptions,
} from './dynamic-supervisor.ts';
export { GenServer } from './gen-server.ts';
export { exitReason, isNormalExit } from './reasons.ts';
export { type Server, start, startLink } from './start.ts';
export { type StopOptions, stop } from './stop.ts';
export { type Strategy, Supervisor, type SupervisorCalls, type SupervisorOptions } from './supervisor.ts';
export type { ChildCounts, ChildInfo } from './supervisor-info.ts';
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
