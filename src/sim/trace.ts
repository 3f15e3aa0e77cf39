// What happened last, kept as data and told only when somebody asks: formatting every step would cost more than the
// steps. The hash covers every step, so that two runs are the same run exactly when their hashes are equal.
import type { Message } from '../registry/protocol/messages.ts';
import type { Effect, Event } from '../registry/protocol/types.ts';

interface Line {
  readonly at: number;
  readonly node: string;
  readonly event: Event | null;
  readonly effects: readonly Effect[];
  readonly note: string;
}

export class Trace {
  hash = 0x811c9dc5;
  steps = 0;
  /** Told of every note. */
  noted: ((at: number, node: string, note: string) => void) | null = null;
  readonly #keep: number;
  readonly #lines: Line[] = [];
  #next = 0;

  constructor(keep: number) {
    this.#keep = keep;
  }

  step(at: number, node: string, what: { event: Event; effects: readonly Effect[] }): void {
    this.steps++;
    this.#mix(Math.floor(at * 1000));
    this.#mix(node.charCodeAt(0) * 31 + what.event.type.charCodeAt(0));
    for (const effect of what.effects) this.#mix(effectMark(effect));
    this.#push({ at, node, event: what.event, effects: what.effects, note: '' });
  }

  note(at: number, node: string, note: string): void {
    this.#mix(Math.floor(at * 1000) ^ note.length);
    this.#push({ at, node, event: null, effects: [], note });
    this.noted?.(at, node, note);
  }

  /** The last `count` lines that tell something, oldest first. Heartbeats and idle ticks only when `all`. */
  story(count: number, all = false): string {
    const ordered = [...this.#lines.slice(this.#next), ...this.#lines.slice(0, this.#next)];
    const told = ordered.map((line) => tell(line, all)).filter((text) => text !== '');
    return told.slice(-count).join('\n');
  }

  #push(line: Line): void {
    if (this.#lines.length < this.#keep) this.#lines.push(line);
    else {
      this.#lines[this.#next] = line;
      this.#next = (this.#next + 1) % this.#keep;
    }
  }

  #mix(value: number): void {
    this.hash = Math.imul(this.hash ^ value, 0x01000193) ^ (this.hash >>> 13);
  }
}

function effectMark(effect: Effect): number {
  if (effect.type === 'send') return effect.to.charCodeAt(0) * 131 + effect.message.type.length;
  if (effect.type === 'reply') return effect.id * 17 + effect.result.type.length;
  return effect.type.length;
}

const routine: ReadonlySet<string> = new Set(['ping', 'pong', 'grant', 'ack']);

function tell(line: Line, all: boolean): string {
  const head = `${line.at.toFixed(1).padStart(9)} ${line.node}`;
  const { event } = line;
  if (event === null) return `${head} ** ${line.note}`;
  const heard = event.type === 'message' && (all || !routine.has(event.message.type));
  const quiet = event.type === 'tick' || event.type === 'flush' || (event.type === 'message' && !heard);
  const effects = line.effects.filter((effect) => all || isNews(effect)).map(tellEffect);
  if (effects.length === 0 && quiet && !all) return '';
  return [`${head} ${tellEvent(event)}`, ...effects.map((text) => `${' '.repeat(13)}→ ${text}`)].join('\n');
}

function isNews(effect: Effect): boolean {
  if (effect.type === 'flushSoon') return false;
  return effect.type !== 'send' || !routine.has(effect.message.type);
}

function tellEvent(event: Event): string {
  switch (event.type) {
    case 'message':
      return `← ${event.from}: ${tellMessage(event.message)}`;
    case 'store':
      return `store #${event.id}: ${plain(event.outcome)}`;
    default:
      return `${event.type} ${plain({ ...event, type: undefined })}`;
  }
}

function tellEffect(effect: Effect): string {
  if (effect.type === 'send') return `${effect.to}: ${tellMessage(effect.message)}`;
  return `${effect.type} ${plain({ ...effect, type: undefined })}`;
}

function tellMessage(message: Message): string {
  return `${message.type} ${plain({ ...message, type: undefined })}`;
}

/** JSON without quotes, with pids, versions and durations in short. */
function plain(value: unknown): string {
  const text = JSON.stringify(value, (key: string, part: unknown) => {
    if (key === 'durations' || key === 'metadata' || key === 'lanes') return undefined;
    if (typeof part !== 'object' || part === null) return part;
    if ('serial' in part) return String(part);
    if ('n' in part && 'epoch' in part && Object.keys(part).length === 2) return `v${part.epoch}.${part.n}`;
    return part;
  });
  return (text ?? '').replaceAll('"', '');
}
