// The files of a working tree, as the scripts and the tidy test see them: what is generated or fetched is left out.
import { type Dirent, readdirSync } from 'node:fs';
import { join } from 'node:path';

const skipped = new Set(['node_modules', 'dist', '.build', '.runtimes', '.git']);

/** All files under a directory, sorted, as paths that begin with it; none when there is no such directory. */
export function filesUnder(directory: string): string[] {
  return entries(directory)
    .filter((entry) => !skipped.has(entry.name))
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? filesUnder(path) : [path];
    })
    .sort();
}

function entries(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
