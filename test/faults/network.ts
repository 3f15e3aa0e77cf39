// Machines of our own: one network namespace each, joined by a bridge in a further namespace. Nothing outside of them is
// touched, and they go with the process that made them; what a killed run has left is removed by the next.
//
// Faults are made by the kernel: a cut is a packet filter at the receiver, so the sender hears nothing, and so is loss. Kernels
// without netem cannot delay packets, so these take a detour instead: routes through a TUN device of each machine lead to a
// process (wire.child.ts) that hands every packet over later. Connections live through both, as addresses stay the same.
import { type ChildProcess, execFile, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const prefix = 'dgenfaults';
const namespacesFolder = '/run/netns';
const wireFile = fileURLToPath(new URL('./wire.child.ts', import.meta.url));

/** Takes a fault back. Idempotent. */
export type Undo = () => Promise<void>;

export interface Direction {
  readonly from: string;
  readonly to: string;
}

export class Network {
  readonly machines: readonly string[];
  /** One entry for each cut in force: two faults may cut the same direction. */
  readonly #cuts: Set<Direction> = new Set();
  readonly #losses: Set<{ readonly percent: number }> = new Set();
  readonly #delays: Set<object> = new Set();
  #wire: ChildProcess | undefined;
  #changing: Promise<void> = Promise.resolve();
  readonly #onExit = (): void => removeNow(process.pid);
  readonly #onSignal = (): never => process.exit(1);

  private constructor(machines: readonly string[]) {
    this.machines = machines;
    process.on('exit', this.#onExit);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, this.#onSignal);
  }

  /** Machines that reach each other. Every packet through the wire takes `delayMs`. */
  static async create(machines: readonly string[], delayMs: number): Promise<Network> {
    removeLeftovers();
    const network = new Network(machines);
    try {
      await network.#build();
      network.#wire = startWire(machines.map(namespaceOf), delayMs);
      await once(network.#wire, 'message');
      return network;
    } catch (error) {
      await network.remove();
      throw error;
    }
  }

  addressOf(machine: string): string {
    return `10.213.0.${this.machines.indexOf(machine) + 1}`;
  }

  /** What to run instead of `command`, so that it runs on that machine: a program and its arguments. */
  on(machine: string, ...command: readonly string[]): readonly [string, ...string[]] {
    return ['ip', 'netns', 'exec', namespaceOf(machine), ...command];
  }

  /** Drops what goes in these directions. */
  cut(directions: readonly Direction[]): Promise<Undo> {
    // Copies: a second cut of the same direction is another one.
    return this.#fault(
      this.#cuts,
      directions.map((direction) => ({ ...direction })),
    );
  }

  /** Drops what goes between two groups of machines, both ways. */
  separate(some: readonly string[], others: readonly string[]): Promise<Undo> {
    return this.cut(
      some.flatMap((a) =>
        others.flatMap((b) => [
          { from: a, to: b },
          { from: b, to: a },
        ]),
      ),
    );
  }

  /** Every packet between machines is lost with this chance. */
  lose(percent: number): Promise<Undo> {
    return this.#fault(this.#losses, [{ percent }]);
  }

  /** Every packet between machines takes the detour through the wire. */
  async delay(): Promise<Undo> {
    return this.#fault(this.#delays, [{}]);
  }

  /** Kills what runs in the namespaces and removes them. */
  async remove(): Promise<void> {
    process.off('exit', this.#onExit);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, this.#onSignal);
    await this.#changing;
    const wire = this.#wire;
    if (wire !== undefined && wire.exitCode === null && wire.signalCode === null) {
      const gone = once(wire, 'exit');
      wire.kill('SIGKILL');
      await gone;
    }
    removeNow(process.pid);
  }

  async #fault<T>(faults: Set<T>, added: readonly T[]): Promise<Undo> {
    for (const one of added) faults.add(one);
    await this.#apply();
    return () => {
      for (const one of added) faults.delete(one);
      return this.#apply();
    };
  }

  /** One change after the other; each leaves every machine as the faults in force say. */
  #apply(): Promise<void> {
    this.#changing = this.#changing.then(async () => {
      await Promise.all(this.machines.map((machine) => this.#applyTo(machine)));
    });
    return this.#changing;
  }

  async #applyTo(machine: string): Promise<void> {
    const cut = [...this.#cuts].filter(({ to }) => to === machine).map(({ from }) => this.addressOf(from));
    const rules = [
      ...[...new Set(cut)].map((address) => `ip saddr ${address} drop`),
      ...[...this.#losses].map(({ percent }) => `iifname != "lo" numgen random mod 100 < ${percent} drop`),
    ];
    await filter(namespaceOf(machine), rules);
    const verb = this.#delays.size > 0 ? 'replace' : 'del';
    const routes = this.machines
      .filter((other) => other !== machine)
      .map((other) => `${this.addressOf(other)}/32 dev wire0 src ${this.addressOf(machine)}`);
    const commands = routes.map((route) => `route ${verb} ${route}`);
    // Without the detour there may be no such route to remove: -force goes on all the same.
    const done = run('ip', ['-n', namespaceOf(machine), '-force', '-batch', '-']);
    done.child.stdin?.end(`${commands.join('\n')}\n`);
    await done.catch((error: Error) => {
      if (verb === 'replace') throw error;
    });
  }

  async #build(): Promise<void> {
    const hub = namespaceOf('hub');
    await ip('netns', 'add', hub);
    await ip('-n', hub, 'link', 'add', 'bridge0', 'type', 'bridge');
    await ip('-n', hub, 'link', 'set', 'bridge0', 'up');
    for (const machine of this.machines) {
      const own = namespaceOf(machine);
      await ip('netns', 'add', own);
      await ip('link', 'add', 'eth0', 'netns', own, 'type', 'veth', 'peer', 'name', machine, 'netns', hub);
      await ip('-n', hub, 'link', 'set', machine, 'master', 'bridge0', 'up');
      await ip('-n', own, 'address', 'add', `${this.addressOf(machine)}/24`, 'dev', 'eth0');
      for (const device of ['lo', 'eth0']) await ip('-n', own, 'link', 'set', device, 'up');
      await ip('-n', own, 'tuntap', 'add', 'dev', 'wire0', 'mode', 'tun');
      await ip('-n', own, 'link', 'set', 'wire0', 'up');
    }
  }
}

function namespaceOf(machine: string): string {
  return `${prefix}${process.pid}-${machine}`;
}

async function ip(...args: readonly string[]): Promise<void> {
  await run('ip', args);
}

/** Replaces the filter of one namespace, in one step. */
async function filter(namespace: string, rules: readonly string[]): Promise<void> {
  const chain = ['type filter hook input priority 0; policy accept;', ...rules].join('\n');
  const text = `table inet faults\ndelete table inet faults\ntable inet faults {\nchain input {\n${chain}\n}\n}\n`;
  const done = run('ip', ['netns', 'exec', namespace, 'nft', '-f', '-']);
  done.child.stdin?.end(text);
  await done;
}

/**
 * Node cannot open a TUN device, which takes an ioctl, but it can read and write one that is open. So Perl opens one in each
 * namespace and goes on as the next, with what it has opened, until the last one becomes the process that forwards.
 */
const opener = `
  $^F = 255;
  open(my $device, "+<", "/dev/net/tun") or die "tun: $!";
  my $request = pack("a16 s x22", "wire0", 0x1001);
  ioctl($device, 0x400454ca, $request) or die "tun: $!";
  $ENV{WIRES} .= " " . fileno($device);
  exec @ARGV or die "exec: $!";
`;

function startWire(namespaces: readonly string[], delayMs: number): ChildProcess {
  const [first = '', ...rest] = namespaces;
  const others = rest.flatMap((namespace) => ['perl', '-e', opener, 'ip', 'netns', 'exec', namespace]);
  return fork(wireFile, [String(delayMs)], {
    execPath: 'ip',
    execArgv: ['netns', 'exec', first, ...others, 'perl', '-e', opener, process.execPath],
    env: { ...process.env, WIRES: '', UV_THREADPOOL_SIZE: String(namespaces.length + 2) },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

/** Of runs whose process is no more. */
function removeLeftovers(): void {
  for (const name of namespaces()) {
    const pid = Number(new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]);
    if (pid > 0 && !isAlive(pid)) removeNow(pid);
  }
}

/** Everything of the run that had this process id. */
function removeNow(pid: number): void {
  for (const name of namespaces().filter((one) => one.startsWith(`${prefix}${pid}-`))) {
    const inside = execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' });
    for (const one of inside.split('\n').filter((line) => line !== '')) {
      if (isAlive(Number(one))) process.kill(Number(one), 'SIGKILL');
    }
    execFileSync('ip', ['netns', 'delete', name]);
  }
}

/** Those of any run that are there now. */
export function namespaces(): string[] {
  try {
    return readdirSync(namespacesFolder).filter((name) => name.startsWith(prefix));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
