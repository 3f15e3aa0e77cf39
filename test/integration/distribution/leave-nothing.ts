// Opens everything that the distribution can open, closes it, and must then exit by itself within the deadline of the
// test that runs it: one node connected, one dialling, one socket in the handshake, one probe, one failed attempt.
import { Cluster, until } from './support.ts';

const cluster = new Cluster();
const a = await cluster.start('a@t');
const b = await cluster.start('b@t');
await a.distribution.connect(b.name);
a.distribution.send(a.pid(), b.pid(), 'x'.repeat(100_000));
const silent = await cluster.start('silent@t', { listen: false });
cluster.addresses.set(silent.name, [{ host: '192.0.2.1', port: 1 }]);
a.distribution.send(a.pid(), silent.pid(), 'waits for the attempt');
const gone = await cluster.start('gone@t', { listen: false });
await a.distribution.connect(gone.name);
const socket = await cluster.socket(a);
await until(() => a.distribution.stats().handshaking === 1, 'the handshake');
await a.distribution.probe(b.address, { node: b.name, creation: 1 });
await Promise.all([a.distribution.close(), b.distribution.close()]);
await new Promise((resolve) => (socket.closed ? resolve(undefined) : socket.resume().once('close', resolve)));
console.log('closed');
