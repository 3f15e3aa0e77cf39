import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../src/host/index.ts';
import { References } from '../../src/process/references.ts';
import { atom, Ref } from '../../src/term/index.ts';

const node = atom('n@h');

test('a reference gives back its number, up to 50 bits, in words that Erlang takes', () => {
  const references = new References(node, 3, seededRandom(1));
  for (const number of [1, 2 ** 18 - 1, 2 ** 18, 2 ** 32, 2 ** 49 + 12345]) {
    const ref = references.refOf(number);
    assert.equal(references.numberOf(ref), number);
    const [low, middle, salt] = ref.words as [number, number, number];
    assert.ok(low < 2 ** 18 && middle < 2 ** 32 && salt < 2 ** 32);
  }
  assert.ok(!references.next().equals(references.next()));
});

test('references of other nodes, creations, starts and shapes have no number here', () => {
  const references = new References(node, 3, seededRandom(1));
  const { words } = references.next();
  const strangers = [
    new Ref(atom('other@h'), 3, words),
    new Ref(node, 4, words),
    new References(node, 3, seededRandom(2)).next(),
    new Ref(node, 3, [...words, 0]),
  ];
  for (const stranger of strangers) assert.equal(references.numberOf(stranger), undefined);
});
