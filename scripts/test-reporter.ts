// The reporter that the test runner loads into each test file's process: one line of JSON per result, and a last line
// that says the tests came to their end. It also runs on Node 20, compiled.

/** What happened to one test, or to the whole file. */
export type TestRecord =
  | { readonly kind: 'passed' | 'skipped' }
  | { readonly kind: 'failed'; readonly name: string; readonly error: string }
  /** What Node itself has to say, such as an error after the end of a test. */
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'end' };

interface ReporterEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly message?: string;
    readonly skip?: string | boolean;
    readonly details?: { readonly type?: string; readonly error?: FailureError };
  };
}

interface FailureError extends Error {
  readonly failureType?: string;
}

/** A passing suite is no test of its own, and a parent does not fail beside its failed children. */
function recordOf({ type, data }: ReporterEvent): TestRecord | undefined {
  if (type === 'test:pass') {
    if (data.details?.type === 'suite') return undefined;
    return { kind: data.skip === undefined || data.skip === false ? 'passed' : 'skipped' };
  }
  if (type === 'test:diagnostic' && /^(Error|Warning)/.test(data.message ?? '')) {
    return { kind: 'note', text: data.message ?? '' };
  }
  if (type !== 'test:fail' || data.details?.error?.failureType === 'subtestsFailed') return undefined;
  return { kind: 'failed', name: data.name ?? '', error: describe(data.details?.error) };
}

function describe(error: FailureError | undefined): string {
  const cause = error?.cause ?? error;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  return text.replaceAll(/\n +at .*node:internal.*/g, '');
}

// node:test asks for a default export.
export default async function* reporter(source: AsyncIterable<ReporterEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    const record = recordOf(event);
    if (record !== undefined) yield `${JSON.stringify(record)}\n`;
  }
  yield `${JSON.stringify({ kind: 'end' } satisfies TestRecord)}\n`;
}
