// How two nodes of this library recognise each other: a few bytes behind the name in the first and third handshake
// message, where Erlang nodes look at nothing. Spare flag bits would not do: OTP gives them meanings as it goes.
//
// Layout: magic "DGTS", version u8, capabilities u32 big-endian; whatever follows belongs to later versions.

/** Version of the private term forms and of this marker. */
export const markerVersion = 1;

/** Set in the first message by a caller that only wants to know who listens, and will hang up when told. */
export const capabilityProbe = 1;

/** Understands the private frames of compact.ts. They are used when both sides show it. */
export const capabilityCompact = 2;

export interface Marker {
  readonly version: number;
  readonly capabilities: number;
}

const magic: readonly number[] = [0x44, 0x47, 0x54, 0x53];
const markerBytes = magic.length + 5;

export function encodeMarker(marker: Marker): Uint8Array {
  const bytes = new Uint8Array(markerBytes);
  bytes.set(magic);
  const view = new DataView(bytes.buffer);
  view.setUint8(magic.length, marker.version);
  view.setUint32(magic.length + 1, marker.capabilities);
  return bytes;
}

/** `undefined` for anything that is not a marker: the bytes are free for others to use. */
export function decodeMarker(bytes: Uint8Array): Marker | undefined {
  if (bytes.length < markerBytes) return undefined;
  if (magic.some((byte, index) => bytes[index] !== byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint8(magic.length);
  if (version === 0) return undefined;
  return { version, capabilities: view.getUint32(magic.length + 1) };
}
