// The server that the demo starts a thousand times. It takes its name itself, as its first act, and so learns its
// fencing token; it tells the witness before it answers a call, and answers only what counts there.
import { compareTokens, DGenError, GenServer, type Refusal, type Registry, refuse } from '../src/index.ts';
import type { Token, Witness } from './witness.ts';

export interface RoomPlan {
  readonly name: string;
  readonly registry: Registry;
  readonly witness: Witness;
}

export interface Served {
  readonly token: Token;
  readonly calls: number;
}

/** The reason with which a room ends that came second. */
const taken = 'taken';

export class Room extends GenServer {
  #plan: RoomPlan | undefined;
  #token: Token = { epoch: 0, n: 0 };
  #calls = 0;

  async init(plan: RoomPlan): Promise<void> {
    const { name, registry, witness } = plan;
    const registration = await registry.register(name, this.self);
    if (registration.status === 'taken') {
      this.stop(taken);
      return;
    }
    const { epoch, n } = registration.token;
    this.#plan = plan;
    this.#token = { epoch, n };
    // Ended meanwhile: then it never was an owner that could act.
    if (this.signal.aborted) return;
    witness.append('acquired', name, this.#token);
    // Runs within the end of the process, whatever ends it, and before anybody hears of that end.
    this.signal.addEventListener('abort', () => witness.append('ended', name, this.#token), { once: true });
  }

  handleCall = {
    serve: (): Served | Refusal => {
      const { name = '', witness } = this.#plan ?? {};
      if (witness?.append('served', name, this.#token) !== true) {
        this.stop('replaced');
        return refuse(new Error(`${name} has a later owner`));
      }
      this.#calls += 1;
      return { token: this.#token, calls: this.#calls };
    },
  };
}

/** True when a start failed because another server has the name. */
export function cameSecond(error: unknown): boolean {
  return error instanceof DGenError && error.code === 'start_failed' && error.details.reason === taken;
}

export const isOlder = (a: Token, b: Token): boolean => compareTokens(a, b) < 0;
