// The table and the list of calls to other nodes against the plain Map and Set that they stand in for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CallList, CallTable } from '../../src/process/call-table.ts';
import type { OutgoingCall } from '../../src/process/outgoing-call.ts';

function call(number: number): OutgoingCall {
  return { number, olderOfPeer: undefined, newerOfPeer: undefined } as unknown as OutgoingCall;
}

// Few numbers, many of them in the same slot.
const numbers = fc.tuple(fc.nat(3), fc.nat(3)).map(([slot, lap]) => slot + lap * 4096);
const steps = fc.array(fc.tuple(fc.boolean(), numbers), { maxLength: 60 });

test('the table finds what a Map finds', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const table = new CallTable();
      const twin = new Map<number, OutgoingCall>();
      for (const [add, number] of script) {
        const known = twin.get(number);
        if (add && known === undefined) {
          const created = call(number);
          table.add(created);
          twin.set(number, created);
        } else if (!add && known !== undefined) {
          table.delete(known);
          twin.delete(number);
        }
        for (let slot = 0; slot < 4; slot++) {
          for (let lap = 0; lap < 4; lap++) {
            assert.equal(table.get(slot + lap * 4096), twin.get(slot + lap * 4096));
          }
        }
      }
    }),
  );
});

test('the list holds what a Set holds, oldest first; a call that left keeps no neighbour', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const list = new CallList();
      const twin = new Map<number, OutgoingCall>();
      const strangers = call(-1);
      for (const [add, number] of script) {
        const known = twin.get(number);
        if (add && known === undefined) {
          const created = call(number);
          list.add(created);
          twin.set(number, created);
        } else if (!add) {
          const gone = known ?? strangers;
          list.delete(gone);
          twin.delete(number);
          assert.equal(gone.olderOfPeer ?? gone.newerOfPeer, undefined);
        }
        assert.deepEqual(
          list.list().map((each) => each.number),
          [...twin.keys()],
        );
        assert.equal(list.size, twin.size);
      }
    }),
  );
});
