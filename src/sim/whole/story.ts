// What happened, as lines for people, and a sum over everything, also over every byte that arrived: two runs are the same
// run exactly when their sums are equal.
const linesKept = 3000;

export class Story {
  #hash = 0x811c9dc5;
  readonly #lines: string[] = [];

  get hash(): number {
    return this.#hash >>> 0;
  }

  note(at: number, node: string, text: string): void {
    this.mix(Math.round(at * 1000));
    for (let index = 0; index < text.length; index++) this.mix(text.charCodeAt(index));
    this.#lines.push(`${at.toFixed(1).padStart(9)} ${node.padEnd(2)} ${text}`);
    if (this.#lines.length > 2 * linesKept) this.#lines.splice(0, linesKept);
  }

  mixBytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.mix(byte);
  }

  mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193);
  }

  /** The last lines. */
  tell(count: number): string {
    return this.#lines.slice(-count).join('\n');
  }
}
