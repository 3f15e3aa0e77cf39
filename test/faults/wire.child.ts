// The detour of delayed packets: reads the TUN device of every machine, and hands each packet after a while to the machine
// to which it is addressed. What it is given: the delay as its argument, the open devices in the environment, in order of
// the machines' addresses. Packets stay in their order, as timers of one duration do.
import { read, writeSync } from 'node:fs';

const delayMs = Number(process.argv[2]);
const devices = (process.env.WIRES ?? '').trim().split(' ').map(Number);
const packetBytesMax = 65_536;
const destinationAt = 16;

function pump(device: number): void {
  const buffer = Buffer.allocUnsafe(packetBytesMax);
  const next = (): void => read(device, buffer, 0, packetBytesMax, null, taken);
  const taken = (error: Error | null, bytes: number): void => {
    if (error !== null) throw error;
    forward(Buffer.from(buffer.subarray(0, bytes)));
    next();
  };
  next();
}

function forward(packet: Buffer): void {
  const isVersion4 = (packet[0] ?? 0) >> 4 === 4;
  const device = devices[(packet[destinationAt + 3] ?? 0) - 1];
  if (isVersion4 && device !== undefined) setTimeout(() => writeSync(device, packet), delayMs);
}

for (const device of devices) pump(device);
process.send?.('ready');
process.on('disconnect', () => process.exit(1));
