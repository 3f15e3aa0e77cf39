// Histories as JSON lines, so that others can check them with tools of their own. One operation per line, with exactly these
// fields: client, operation, name, argument, result, start, end.
//   argument  the process of `register` and `exit`; null otherwise
//   result    "registered" | "done" | "absent" | "failed" | "unknown" | {"taken": process} | {"found": process}
//   end       null while unanswered: then the result is "unknown", or "failed" where that is known all the same
import { DGenError } from '../errors/error.ts';
import type { Operation } from './linearize.ts';

/** What a file may hold; more is refused with `badarg`. */
export const historyLimits = { operations: 1_000_000, lineLength: 65_536 } as const;

const resultsOf: Readonly<Record<Operation['type'], readonly Operation['result'][]>> = {
  register: ['registered', 'taken', 'failed', 'unknown'],
  unregister: ['done', 'failed', 'unknown'],
  read: ['found', 'absent', 'failed', 'unknown'],
  exit: ['unknown'],
};

const fields = ['argument', 'client', 'end', 'name', 'operation', 'result', 'start'] as const;

type Line = Readonly<Record<(typeof fields)[number], unknown>>;

/** One line, without its end. */
function encodeOperation({ type, process, holder, ...operation }: Operation): string {
  const { client, name, result, start, end } = operation;
  const told = holder === undefined ? result : { [result]: holder };
  const until = end === Infinity ? null : end;
  return JSON.stringify({
    client,
    operation: type,
    name,
    argument: process ?? null,
    result: told,
    start,
    end: until,
  });
}

/** A whole file; ends with a line end unless it is empty. */
export function encodeHistory(history: readonly Operation[]): string {
  return history.map((operation) => `${encodeOperation(operation)}\n`).join('');
}

/**
 * Reads a whole file. Throws `badarg` at the first line that is not as described above, or beyond `historyLimits`: the message says
 * what was expected and what came, `details.line` is its number, from 1.
 */
export function decodeHistory(text: string): Operation[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length > historyLimits.operations)
    refuse(historyLimits.operations + 1, `at most ${historyLimits.operations} lines`, `${lines.length}`);
  return lines.map((line, index) => decodeOperation(line, index + 1));
}

/** `number` of the line is for the error, which is that of `decodeHistory`. */
export function decodeOperation(text: string, number = 1): Operation {
  if (text.length > historyLimits.lineLength)
    refuse(number, `at most ${historyLimits.lineLength} characters`, `${text.length}`);
  const line = parse(text, number);
  const type = oneOf(line.operation, Object.keys(resultsOf) as Operation['type'][], {
    number,
    of: 'operation',
  });
  const { result, holder } = resultOf(line.result, type, number);
  const start = finite(line.start, number, 'start');
  const end = endOf(line.end, { number, start, result });
  const process = argumentOf(line.argument, type, number);
  return {
    client: textOf(line.client, number, 'client'),
    name: textOf(line.name, number, 'name'),
    type,
    start,
    end,
    result,
    ...(process === undefined ? {} : { process }),
    ...(holder === undefined ? {} : { holder }),
  };
}

function parse(text: string, number: number): Line {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const details = { line: number };
    const got = inspected(text);
    // biome-ignore lint/style/useErrorCause: it is in the options.
    throw new DGenError('badarg', where(number), { expected: 'one JSON object', got, details, cause });
  }
  const keys = typeof value === 'object' && value !== null ? Object.keys(value).sort() : [];
  if (keys.join() !== fields.join())
    refuse(number, `an object with the fields ${fields.join(', ')}`, inspected(text));
  return value as Line;
}

function resultOf(
  value: unknown,
  type: Operation['type'],
  number: number,
): Pick<Operation, 'result' | 'holder'> {
  const [key, holder] =
    typeof value === 'object' && value !== null ? (Object.entries(value)[0] ?? []) : [value];
  const result = oneOf(key, resultsOf[type], { number, of: `result of ${type}` });
  const names = result === 'taken' || result === 'found';
  const fits = names
    ? typeof holder === 'string' && Object.keys(value as object).length === 1
    : typeof value === 'string';
  if (!fits) refuse(number, names ? `{"${result}": process}` : `"${result}"`, inspected(value));
  return names ? { result, holder: holder as string } : { result };
}

function endOf(value: unknown, of: { number: number; start: number; result: string }): number {
  const { number, start, result } = of;
  if (value === null) {
    if (result === 'unknown' || result === 'failed') return Infinity;
    refuse(number, `an end of an operation with result ${result}`, 'null');
  }
  const end = finite(value, number, 'end');
  if (end < start) refuse(number, `an end not before the start, ${start}`, String(end));
  return end;
}

function argumentOf(value: unknown, type: Operation['type'], number: number): string | undefined {
  if (type === 'register' || type === 'exit') return textOf(value, number, 'argument');
  if (value !== null) refuse(number, `null as argument of ${type}`, inspected(value));
  return undefined;
}

function textOf(value: unknown, number: number, field: string): string {
  if (typeof value !== 'string') refuse(number, `a string as ${field}`, inspected(value));
  return value;
}

function finite(value: unknown, number: number, field: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value))
    refuse(number, `a number as ${field}`, inspected(value));
  return value;
}

function oneOf<T extends string>(value: unknown, known: readonly T[], at: { number: number; of: string }): T {
  const found = known.find((one) => one === value);
  if (found === undefined) refuse(at.number, `${at.of} to be one of ${known.join(', ')}`, inspected(value));
  return found;
}

function refuse(line: number, expected: string, got: string): never {
  throw new DGenError('badarg', where(line), { expected, got, details: { line } });
}

function where(line: number): string {
  return `history, line ${line}`;
}

function inspected(value: unknown): string {
  return (typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')).slice(0, 80);
}
