// The other process of the remote benchmarks: a raw echo and a node with an echo server registered as `echo`. Says its
// ports over the channel of `fork`, and ends with it.
import { createDistribution } from '../src/distribution/index.ts';
import { nodeHost } from '../src/host/index.ts';
import { createRuntime, isCallMessage } from '../src/process/index.ts';
import { atom } from '../src/term/index.ts';
import { serveRawEcho } from './remote-floor.ts';

const { port: rawPort } = await serveRawEcho();
const host = nodeHost();
const identity = { name: atom('server@127.0.0.1'), creation: 1, host };
const runtime = createRuntime(identity);
const distribution = createDistribution({
  ...identity,
  cookie: 'bench',
  inbound: runtime.inbound,
  resolve: async () => [],
});
runtime.attach(distribution);
let casts = 0;
const echo = runtime.spawnBehaviour({
  handle(message) {
    if (!isCallMessage(message)) casts += 1;
    else runtime.reply(message.from, message.request === 'casts' ? casts : message.request);
  },
});
runtime.register('echo', echo);
const { port } = await distribution.listen();
process.on('disconnect', () => process.exit());
process.send?.({ rawPort, port });
