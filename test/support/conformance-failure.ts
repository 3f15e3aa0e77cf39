// For tests of the conformance suite itself: what a case says to a backend that does not conform.
import type { ConformanceTest } from '../../src/storage/conformance/index.ts';

/** The message of its failure, or undefined if it passes. A backend with a defect may also never answer. */
export async function failureOf({ run }: ConformanceTest, hangMs: number): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const hangs = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('it hangs'), hangMs);
  });
  const failed = run().then(
    () => undefined,
    (error: unknown) => String(error),
  );
  const failure = await Promise.race([failed, hangs]);
  clearTimeout(timer);
  return failure;
}
