// A proxy as the link of the conformance suite, and whole targets for stores that are reached by TCP:
//
//   create: () => tcpTarget({ port: server.port, connect: (port) => openMyBackend({ port }) })
//
// The client that the suite disturbs goes through the proxy; all others go to the server itself.
import type {
  ConformanceLink,
  ConformanceTarget,
  DelayedRequest,
  FaultPoint,
  LinkFault,
} from '../../src/storage/conformance/index.ts';
import type { Backend } from '../../src/storage/index.ts';
import type { ProxyConnection } from './proxy-connection.ts';
import { TcpProxy } from './tcp-proxy.ts';

/** After this silence the server has said all that it had to say to a request. */
const quietMs = 30;
/** How long an answer is waited for before the connection is cut without one. */
const answerMs = 1_000;

export function tcpLink(proxy: TcpProxy, backend: Backend, recoveryMs = 10_000): ConformanceLink {
  return {
    backend,
    recoveryMs,
    cut: () => proxy.cut(),
    sever() {
      proxy.door('refusing');
      proxy.cut();
    },
    silence() {
      proxy.door('silent');
      proxy.silence();
    },
    heal() {
      proxy.door('open');
      proxy.cutEachAfter(undefined);
    },
    cutEachAfter: (ms) => proxy.cutEachAfter(ms),
    loseNextReply: (point) => arm(proxy, point, (at) => loseReply(proxy, at)),
    loseNextRequest: (point) => arm(proxy, point, loseRequest),
    delayNextRequest: (point) => delayRequest(proxy, point),
  };
}

export interface TcpTargetOptions
  extends Pick<
    ConformanceTarget,
    'restart' | 'pauseServer' | 'resumeServer' | 'compact' | 'dropNotifications'
  > {
  /** Of the server, on 127.0.0.1. It must be the same after `restart`. */
  readonly port: number;
  /** A client that reaches the server at this port of 127.0.0.1, with one and the same content for all of them. */
  connect(port: number): Promise<Backend>;
  /** See `ConformanceLink.recoveryMs`. */
  readonly recoveryMs?: number;
  /** Removes the content, or the server. Called once, when all clients are closed. */
  cleanUp?(): Promise<void>;
}

/** Two clients, a third one behind a proxy, and what else the store can do. */
export async function tcpTarget(options: TcpTargetOptions): Promise<ConformanceTarget> {
  const { port, connect, recoveryMs, cleanUp, ...hooks } = options;
  const proxy = await TcpProxy.start({ port });
  const opened: Backend[] = [];
  const open = async (at: number): Promise<Backend> => {
    const backend = await connect(at);
    opened.push(backend);
    return backend;
  };
  const dispose = async (): Promise<void> => {
    hooks.resumeServer?.();
    // Closing a client may not depend on a network that is still disturbed.
    proxy.door('open');
    proxy.cut();
    await Promise.all(opened.map((backend) => backend.close()));
    await proxy.close();
    await cleanUp?.();
  };
  try {
    const [backend, other] = [await open(port), await open(port)];
    const link = tcpLink(proxy, await open(proxy.port), recoveryMs);
    return { ...hooks, backend, other, link, connect: () => open(port), dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Lets so many turns pass, then calls `strike` with the connection of the next one. */
function arm(
  proxy: TcpProxy,
  { turns }: FaultPoint = { turns: 0 },
  strike: (at: ProxyConnection) => void,
): LinkFault {
  let left = turns;
  let struck = false;
  const disarm = proxy.onTurn((at) => {
    left -= 1;
    if (left >= 0) return;
    struck = true;
    disarm();
    strike(at);
  });
  return {
    get struck() {
      return struck;
    },
    disarm,
  };
}

function loseRequest(at: ProxyConnection): void {
  at.pipe('up').swallow();
  at.cut();
}

function loseReply(proxy: TcpProxy, at: ProxyConnection): void {
  at.pipe('down').swallow();
  void answered(proxy, at).then(() => at.cut());
}

function delayRequest(proxy: TcpProxy, point: FaultPoint | undefined): DelayedRequest {
  let held: ProxyConnection | undefined;
  const fault = arm(proxy, point, (at) => {
    held = at;
    at.pipe('up').hold();
    at.pipe('up').keepOpen();
    // Later, so that the bytes of this turn that are on their way are held too.
    proxy.after(1, () => at.cutClient());
  });
  return {
    get struck() {
      return fault.struck;
    },
    disarm: fault.disarm,
    async release() {
      if (held === undefined) return;
      const done = answered(proxy, held);
      held.pipe('up').release();
      await done;
      held.cut();
    },
  };
}

/** Resolves when the server has answered and been quiet for a moment, has closed, or has said nothing for long. */
function answered(proxy: TcpProxy, at: ProxyConnection): Promise<void> {
  return new Promise((resolve) => {
    let stop = proxy.after(answerMs, resolve);
    at.onDown(() => {
      stop();
      stop = proxy.after(quietMs, resolve);
    });
  });
}
