// Where the programs of a PostgreSQL server are. Distributions keep them off the path, in a directory per version; the
// newest is taken.
import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const versioned = '/usr/lib/postgresql';

/** The directory with `initdb` and `postgres`; undefined when there is no server on this machine. */
export function postgresBinaries(): string | undefined {
  const places = [
    ...versionsIn(versioned).map((version) => join(versioned, version, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter),
  ];
  return places.find((place) => ['initdb', 'postgres'].every((program) => isProgram(join(place, program))));
}

function versionsIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort((a, b) => Number(b) - Number(a));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    return error === undefined;
  }
}
