// Operations in words.
import type { Operation } from './linearize.ts';

/** One line: `A/0 register x of <pid> [12.0, 14.5]: taken by <pid>`. */
export function tellOperation(operation: Operation): string {
  const { client, type, name, process, start, end, result, holder } = operation;
  const until = end === Infinity ? '...' : end.toFixed(1);
  const of = process === undefined ? '' : ` of ${process}`;
  const by = holder === undefined ? '' : ` ${result === 'taken' ? 'by ' : ''}${holder}`;
  return `${client} ${type} ${name}${of} [${start.toFixed(1)}, ${until}]: ${result}${by}`;
}
