// Requests to servers. `call` and `cast` go by name and are typed by the server's tables; `callRaw` and `castRaw` send any
// term, typed where the address says so. All take whoever calls first: a runtime from outside, a process from inside.
//
//   const count = await call(runtime, counter, 'increment', 2);
//   const count = await call(runtime, counter, 'increment', 2, within(100));
import type { Destination } from '../process/types.ts';
import { requestTerm } from './requests.ts';
import type {
  Caller,
  CallNames,
  CallParameters,
  CallReply,
  CastArguments,
  Caster,
  CastNames,
  RawCastRequest,
  RawReply,
  RawRequest,
  ServerAddress,
  ServerClass,
} from './types.ts';
import { Within } from './within.ts';

/**
 * Types a destination as an address of `server`. Nothing is looked up or checked: a request that the process there does not know
 * rejects with `unknown_request`.
 */
export function addressOf<S>(_server: ServerClass<S>, destination: Destination): ServerAddress<S> {
  return destination as ServerAddress<S>;
}

/**
 * Sends the request `name` and waits for its answer. Resolves with the reply.
 *
 * Rejects with `unknown_request` (the server has no such request, and lives on), `noproc`, `process_exit` (`details.reason`),
 * `noconnection`, `timeout`, `aborted`, `not_encodable`, `send_buffer_full`, `mailbox_full`, or the error that the server refused with.
 */
// biome-ignore lint/complexity/useMaxParams: a call reads as caller, callee, request, arguments.
export function call<S, K extends CallNames<S>>(
  caller: Caller,
  address: ServerAddress<S>,
  name: K,
  ...args: CallParameters<S, K>
): Promise<CallReply<S, K>> {
  const values = args as unknown as unknown[];
  const last = values[values.length - 1];
  const limit = last instanceof Within ? (values.pop() as Within) : undefined;
  return caller.call(address, requestTerm(name, values), limit?.options) as Promise<CallReply<S, K>>;
}

/** Sends the request `name` and waits for nothing: whether it arrives is not known. Throws `badarg`, `not_encodable`, `mailbox_full` or `send_buffer_full`. */
// biome-ignore lint/complexity/useMaxParams: a cast reads as a call does.
export function cast<S, K extends CastNames<S>>(
  caster: Caster,
  address: ServerAddress<S>,
  name: K,
  ...args: CastArguments<S, K>
): void {
  caster.cast(address, requestTerm(name, args));
}

/**
 * Sends a term as it is to a server whose `handleCall` is one function; request and reply have the types of its signature. Resolves
 * and rejects as `call` does. For untyped destinations there is `runtime.call`.
 */
export function callRaw<S>(
  caller: Caller,
  address: ServerAddress<S>,
  ...[request, limit]: [request: RawRequest<S>, within?: Within]
): Promise<RawReply<S>> {
  return caller.call(address, request, limit?.options) as Promise<RawReply<S>>;
}

/** Casts a term as it is to a server whose `handleCast` is one function. For untyped destinations there is `runtime.cast`. */
export function castRaw<S>(caster: Caster, address: ServerAddress<S>, request: RawCastRequest<S>): void {
  caster.cast(address, request);
}
