// Measures one cell in an operating-system process of its own: some need more memory than a process has by default.
import { type CellOrder, measureCell } from './store-cost/cell.ts';

process.once('message', (order: CellOrder) => {
  measureCell(order).then(
    (cell) => process.send?.({ cell }, () => process.disconnect()),
    (error: Error) => process.send?.({ error: error.stack }, () => process.disconnect()),
  );
});
