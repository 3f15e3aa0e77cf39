// The frames that nodes of this library have for themselves: calls, answers and sends, which are nearly all there is
// between them. A call in Erlang's form names the two nodes seven times on its way there and back; here the connection
// knows them, a call has a number, and a process is the two numbers that its node gave it.
//
//   call         193, number, caller, callee, request         callee   0, pid | 1, atom | 2, pid, creation
//   answer       194, number, reply
//   callee gone  195, number, reason                          pid      id, serial
//   given up     196, number
//   send         197, sender, pid, message
//   send named   198, sender, atom, message
//
// Numbers are varints, atoms and payloads terms without version byte. A pid is of the node that it must be of, in its
// present creation, which the handshake has told; a callee of an earlier one says so, for it is to be found dead.

/** First bytes of frames; Erlang's are 112 and 131. */
export const compact = {
  call: 193,
  answer: 194,
  calleeGone: 195,
  givenUp: 196,
  send: 197,
  sendNamed: 198,
} as const;

export const callee = { pid: 0, name: 1, pidOfCreation: 2 } as const;

/** A node as the two ends of a connection know each other. */
export interface NodeIdentity<Name> {
  readonly name: Name;
  readonly creation: number;
}
