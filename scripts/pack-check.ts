// What a user would install, checked against what is meant to ship: the files, the size, the doors, no dependency and
// no install script. Builds first; packs to a temporary folder, and imports each door from there.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filesUnder } from './files.ts';
import { closingLine } from './test-runner.ts';

const unpackedBytesMax = 2 * 1024 * 1024;
const documents = ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE'];

interface Manifest {
  readonly name: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
}

interface Packed {
  readonly filename: string;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

function run(program: string, args: readonly string[], cwd = '.'): string {
  const { status, error, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (error) throw new Error(`${program} did not start`, { cause: error });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

/** One .js and one .d.ts for each source that ships. */
function expectedFiles(): string[] {
  const sources = filesUnder('src').filter(
    (file) => !/^src\/(sim|explore|invariants)\//.test(file) && !file.endsWith('.d.ts'),
  );
  const built = sources.flatMap((file) => {
    const stem = file.replace(/^src/, 'dist').replace(/\.ts$/, '');
    return [`${stem}.js`, `${stem}.d.ts`];
  });
  return [...documents, ...built].sort();
}

function compareFiles(packed: Packed): string[] {
  const actual = packed.files.map((file) => file.path);
  const expected = expectedFiles();
  return [
    ...expected.filter((path) => !actual.includes(path)).map((path) => `missing in the package: ${path}`),
    ...actual
      .filter((path) => !expected.includes(path))
      .map((path) => `should not be in the package: ${path}`),
  ];
}

function manifestFaults(manifest: Manifest): string[] {
  const hooks = ['preinstall', 'install', 'postinstall', 'prepare'].filter(
    (hook) => hook in manifest.scripts,
  );
  return [
    ...hooks.map((hook) => `runs code at install: ${hook}`),
    ...Object.keys(manifest.dependencies ?? {}).map((name) => `runtime dependency: ${name}`),
  ];
}

/** Imports each door of the packed package by its public name, as a user's program would. */
function importFaults(manifest: Manifest, folder: string, tarball: string): string[] {
  const target = join(folder, 'node_modules', manifest.name);
  mkdirSync(target, { recursive: true });
  run('tar', ['-xzf', join(folder, tarball), '-C', target, '--strip-components=1']);
  const doors = Object.keys(manifest.exports).filter((door) => !door.endsWith('.json'));
  return doors.flatMap((door) => {
    const name = join(manifest.name, door);
    const code = `const door = await import('${name}'); if (Object.keys(door).length === 0) throw new Error('empty')`;
    try {
      run('node', ['--input-type=module', '-e', code], folder);
      return [];
    } catch (error) {
      return [`cannot import ${name}: ${String(error)}`];
    }
  });
}

function check(folder: string): string[] {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
  run('node', ['scripts/build.ts']);
  const [packed] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]),
  ) as Packed[];
  if (packed === undefined) return ['npm packed nothing'];
  const size = packed.unpackedSize;
  console.log(`${packed.files.length} files, ${Math.ceil(size / 1024)} KiB unpacked`);
  return [
    ...compareFiles(packed),
    ...manifestFaults(manifest),
    ...(size > unpackedBytesMax ? [`unpacked size ${size}, at most ${unpackedBytesMax}`] : []),
    ...importFaults(manifest, folder, packed.filename),
  ];
}

/** A step that throws is a fault like the others. */
function faultsOf(check: () => string[]): string[] {
  try {
    return check();
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

function main(): number {
  const folder = mkdtempSync(join(tmpdir(), 'pack-check-'));
  try {
    const faults = faultsOf(() => check(folder));
    for (const fault of faults) console.log(fault);
    console.log(
      closingLine('pack', { passed: faults.length === 0 ? 1 : 0, failed: faults.length, skipped: 0 }),
    );
    return faults.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = main();
