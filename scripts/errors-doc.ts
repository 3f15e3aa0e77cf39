// Writes docs/ERRORS.md from the table of codes. `--check` writes nothing and fails when the file is not current.
import { readFileSync, writeFileSync } from 'node:fs';
import { codes } from '../src/errors/codes.ts';

const file = 'docs/ERRORS.md';

const head = `# Errors

<!-- Written by scripts/errors-doc.ts from src/errors/codes.ts: change the table there. -->

Every error of the library is an \`Error\` with a \`code\` from this table. Match on the code, never on the class or the
message: two copies of the library may be loaded, and errors cross nodes as data. A code is never renamed.

- **retryable**: the same request may succeed later, unchanged.
- **may have run**: the effect may have happened, or may still happen. Where this says no, nothing was done.

An error can deny a flag of its row (\`retryable\`, \`maybeExecuted\` on the error itself), and never adds one.

| code | meaning | retryable | may have run |
| --- | --- | --- | --- |
`;

/** The whole document, as it should be. */
export function errorsDoc(): string {
  const rows = Object.entries(codes).map(
    ([code, { meaning, retryable, maybeExecuted }]) =>
      `| \`${code}\` | ${meaning} | ${retryable ? 'yes' : 'no'} | ${maybeExecuted ? 'yes' : 'no'} |`,
  );
  return `${head}${rows.join('\n')}\n`;
}

if (import.meta.main) {
  if (!process.argv.includes('--check')) writeFileSync(file, errorsDoc());
  else if (readFileSync(file, 'utf8') !== errorsDoc()) {
    console.error(`${file} is not current: run npm run errors-doc`);
    process.exitCode = 1;
  }
}
