// Distribution flags: 64 bits that each side shows in the handshake. Only a few of them change what goes over the
// connection afterwards; those become `Capabilities`, computed once, so that no later code tests bits.
//
// Unknown bits are never set: OTP 29 gives meanings to bits that older releases ignored. What only TypeScript nodes
// know is said in the marker behind the name (marker.ts).

const PUBLISHED = 0x1n;
const EXTENDED_REFERENCES = 0x4n;
const DIST_MONITOR = 0x8n;
const FUN_TAGS = 0x10n;
const DIST_MONITOR_NAME = 0x20n;
const NEW_FUN_TAGS = 0x80n;
const EXTENDED_PIDS_PORTS = 0x100n;
const EXPORT_PTR_TAG = 0x200n;
const BIT_BINARIES = 0x400n;
const NEW_FLOATS = 0x800n;
const SMALL_ATOM_TAGS = 0x4000n;
const UTF8_ATOMS = 0x10000n;
const MAP_TAG = 0x20000n;
const BIG_CREATION = 0x40000n;
const SEND_SENDER = 0x80000n;
const EXIT_PAYLOAD = 0x400000n;
const FRAGMENTS = 0x800000n;
const HANDSHAKE_23 = 0x1000000n;
const UNLINK_ID = 0x2000000n;
/** Stands for all flags that are mandatory since OTP 25. Some texts print 1 << 36; the nodes accept only this. */
const MANDATORY_25_DIGEST = 0x4000000n;
const SPAWN = 1n << 32n;
const V4_NC = 1n << 34n;
const ALIAS = 1n << 35n;

/** Without these a peer cannot decode what we send. A peer shows the digest in their place. */
const MANDATORY_25: bigint =
  EXTENDED_REFERENCES |
  FUN_TAGS |
  NEW_FUN_TAGS |
  EXTENDED_PIDS_PORTS |
  EXPORT_PTR_TAG |
  BIT_BINARIES |
  NEW_FLOATS |
  UTF8_ATOMS |
  MAP_TAG |
  BIG_CREATION |
  HANDSHAKE_23;

const HIDDEN_NODE: bigint =
  MANDATORY_25 |
  MANDATORY_25_DIGEST |
  DIST_MONITOR |
  DIST_MONITOR_NAME |
  SMALL_ATOM_TAGS |
  SEND_SENDER |
  EXIT_PAYLOAD |
  UNLINK_ID |
  SPAWN |
  V4_NC |
  ALIAS;

export interface FlagOptions {
  /** Shows up in `nodes()` of Erlang peers, whose `global` then expects this node to take part in its protocol. Default false. */
  readonly visible?: boolean;
  /** Lets peers split payloads over 64 KiB. Changes the head of every frame when both sides set it. Default false. */
  readonly fragments?: boolean;
}

/** The flags that a node shows. */
export function ownFlags(options: FlagOptions = {}): bigint {
  return (
    HIDDEN_NODE | (options.visible === true ? PUBLISHED : 0n) | (options.fragments === true ? FRAGMENTS : 0n)
  );
}

/** What may be used on one connection: a flag counts only when both sides showed it. */
export interface Capabilities {
  /** SEND_SENDER (22) instead of SEND (2). */
  readonly sendSender: boolean;
  /** Reasons travel as payload (24, 26, 28) instead of inside the control tuple (3, 8, 21). */
  readonly exitPayload: boolean;
  /** UNLINK_ID (35) and its acknowledgement instead of UNLINK (4). */
  readonly unlinkId: boolean;
  /** Frames begin 131, 68 (or 69, 70), and their terms carry no version byte. */
  readonly distributionHeader: boolean;
}

export function capabilitiesOf(ours: bigint, theirs: bigint): Capabilities {
  const both = ours & theirs;
  return {
    sendSender: (both & SEND_SENDER) !== 0n,
    exitPayload: (both & EXIT_PAYLOAD) !== 0n,
    unlinkId: (both & UNLINK_ID) !== 0n,
    distributionHeader: (both & FRAGMENTS) !== 0n,
  };
}

/** False when the peer could not decode what every node must be able to send. */
export function areFlagsSufficient(theirs: bigint): boolean {
  return (theirs & MANDATORY_25_DIGEST) !== 0n || (theirs & MANDATORY_25) === MANDATORY_25;
}
