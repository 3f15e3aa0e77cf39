// `npm run build`: compiles src/ to dist/, from nothing, with declarations. The simulator does not ship.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
const result = spawnSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
if (result.error) console.error(`tsc did not start: ${result.error.message}`);
process.exitCode = result.status ?? 1;
