// The member process: what other nodes and other processes say to a registry arrives here, in its mailbox. It hands
// everything to the driver, and answers requests that another member forwards for a process of this node.
import { DGenError } from '../errors/error.ts';
import { isCallMessage } from '../process/messages.ts';
import type { Behaviour, CallMessage, Process } from '../process/types.ts';
import { Pid, Tuple, termKey } from '../term/index.ts';
import { crashed, Driver, type DriverOptions, messageTag } from './driver.ts';
import { DeathProof, StoreDone } from './elector.ts';

/** Another member asks for a process of this node. */
export const registerTag = 'register';

export class Member implements Behaviour {
  readonly #options: (self: Process) => DriverOptions;
  readonly #started: (driver: Driver) => void;
  #driver: Driver | undefined;

  constructor(options: (self: Process) => DriverOptions, started: (driver: Driver) => void) {
    this.#options = options;
    this.#started = started;
  }

  init(self: Process): void {
    const driver = new Driver(this.#options(self));
    this.#driver = driver;
    // Whatever ended it: who closes a registry in good order has closed the driver before.
    self.signal.addEventListener('abort', () => driver.close(crashed), { once: true });
    this.#started(driver);
    driver.start();
  }

  handle(message: unknown, self: Process): void {
    const driver = this.#driver;
    if (driver === undefined) return;
    if (message instanceof Tuple && message.elements[0] === messageTag) driver.onWire(message);
    else if (message instanceof StoreDone)
      driver.dispatch({ type: 'store', id: message.id, outcome: message.outcome });
    else if (message instanceof DeathProof) driver.dispatch({ type: 'provenDead', member: message.member });
    else if (isCallMessage(message)) answer(driver, message, self);
  }
}

/** `[register, name, pid, metadata, timeoutMs]`: replies with the result of the protocol. */
function answer(driver: Driver, call: CallMessage, self: Process): void {
  const { runtime } = self;
  const request: unknown = call.request;
  const [tag, name, pid, metadata, timeoutMs] = Array.isArray(request) ? (request as readonly unknown[]) : [];
  if (tag !== registerTag || !(pid instanceof Pid) || typeof timeoutMs !== 'number') {
    runtime.replyError(
      call.from,
      new DGenError('unknown_request', 'registry member', { expected: 'register' }),
    );
    return;
  }
  if (pid.node === runtime.name && !runtime.isAlive(pid)) {
    runtime.replyError(call.from, new DGenError('noproc', `${pid} is not alive`));
    return;
  }
  driver.ask({ type: 'register', key: termKey(name), name, pid, metadata }, { timeoutMs }).then(
    (result) => runtime.reply(call.from, result),
    (error: Error) => runtime.replyError(call.from, error),
  );
}
