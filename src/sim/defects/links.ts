// Links between nodes: who is silent is lost, and nobody else.
import type { Defect } from '../defects.ts';

export const linkDefects: readonly Defect[] = [
  {
    name: 'a peer that gives no sign of life keeps its link',
    edits: [
      {
        file: 'distribution/silence.ts',
        find: "return this.#askedMs > this.#limitMs ? 'lost' : 'fine';",
        replace: "return 'fine';",
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'sim/silent-links', name: 'after a long cut two nodes talk again' }],
  },
  {
    name: 'a peer is blamed that was asked nothing',
    edits: [
      {
        file: 'distribution/link.ts',
        find: "if (look === 'ask') this.#wrote(encoder.ask());",
        replace: '',
      },
    ],
    protects: 'use',
    finders: [{ test: 'sim/silent-links', name: 'a peer that only takes' }],
  },
  {
    name: 'a peer that takes what was sent gives no sign of life by it',
    edits: [
      {
        file: 'distribution/link.ts',
        find: 'if (this.#wasFull) this.#silence.heard();',
        replace: '',
      },
    ],
    protects: 'use',
    finders: [{ test: 'sim/silent-links', name: 'a peer that takes what is sent, however slowly' }],
  },
  {
    name: 'who is struck off may be silent for ever',
    edits: [
      {
        file: 'distribution/silence.ts',
        find: 'if (ms !== Number.POSITIVE_INFINITY) this.#limitMs = ms;',
        replace: 'this.#limitMs = ms;',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'distribution/silence', name: 'without a limit a peer is asked' }],
  },
  {
    name: 'who does not answer a knock is left to the kernel',
    edits: [
      {
        file: 'distribution/attempt.ts',
        find: 'openTimeoutMs: Math.min(atMostMs, openTimeoutMs),',
        replace: '',
      },
    ],
    protects: 'at-rest',
    finders: [{ test: 'distribution/silence', name: 'a node that does not answer is knocked at' }],
  },
];
