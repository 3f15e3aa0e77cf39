// How the demo speaks: sections, sentences, and columns of label and value. Bold and coloured where somebody watches.

const labelWidth = 46;
const textWidth = 100;

export class Printer {
  readonly #write: (text: string) => void;
  readonly #colour: boolean;
  readonly #fromMs: number = performance.now();
  #sections = 0;

  constructor(write: (text: string) => void, colour: boolean) {
    this.#write = write;
    this.#colour = colour;
  }

  section(title: string): void {
    this.#sections += 1;
    const seconds = ((performance.now() - this.#fromMs) / 1_000).toFixed(1);
    const line = `${this.#sections}  ${title}`.padEnd(textWidth - 8);
    this.#write(`\n${this.#paint(1, line)}${`${seconds} s`.padStart(8)}\n`);
  }

  /** A paragraph, broken where it gets too long. */
  text(text: string): void {
    let line = '  ';
    for (const word of text.split(' ')) {
      if (line.length + 1 + word.length > textWidth) {
        this.#write(`${line}\n`);
        line = '  ';
      }
      line += ` ${word}`;
    }
    this.#write(`${line}\n`);
  }

  row(label: string, value: string | number): void {
    this.#write(`     ${label.padEnd(labelWidth)}${typeof value === 'number' ? count(value) : value}\n`);
  }

  /** A row whose value decides. */
  verdict(label: string, value: number, held: boolean): void {
    this.row(label, `${count(value).padEnd(10)}${this.#paint(held ? 32 : 31, held ? 'held' : 'BROKEN')}`);
  }

  gap(): void {
    this.#write('\n');
  }

  line(text: string): void {
    this.#write(`${text}\n`);
  }

  #paint(code: number, text: string): string {
    return this.#colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

export const count = (value: number): string => Math.round(value).toLocaleString('en-US');
/** Microseconds, in the unit that reads best; infinite where nothing happened. */
export function duration(us: number): string {
  if (!Number.isFinite(us)) return 'never';
  const ms = us / 1_000;
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(2)} s`;
  return `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}
