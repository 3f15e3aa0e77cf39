// The TypeScript examples of a document, made into programs: what stands between ```ts and ```. An example that imports is
// complete as it is; any other is a fragment and gets the scene that the documents describe in words: a node, a registry,
// a pid, a server.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';
import { sourceOf } from '../../scripts/tidy.ts';

export interface Example {
  readonly document: string;
  /** Of the first line of code in the document. */
  readonly line: number;
  readonly code: string;
}

const scene = `
import { atom, call, callRaw, cast, child, codes, compareTokens, DGenError, DynamicSupervisor, GenServer, hasCode, noReply, Node,
  refuse, Registry, start, startLink, Supervisor, tuple, within, type Pid, type Process, type Runtime, type Tenant,
} from 'dgen-ts';
declare const node: Node;
declare const rooms: Registry;
declare const pid: Pid;
declare const tenant: Tenant;
declare class Room extends GenServer {
  init(id?: string): void;
  handleCall: { join(who: string): number; leave(who: string): number };
  handleCast: { shout(text: string): void };
}
export {};
`;

export function examplesOf(document: string): Example[] {
  const text = readFileSync(document, 'utf8');
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => ({
    document,
    line: text.slice(0, match.index).split('\n').length + 1,
    code: match[1] ?? '',
  }));
}

const isComplete = ({ code }: Example): boolean => /^import /m.test(code);

/** What is wrong with the examples by the types of the sources that the package is built from. */
export function compileFaults(examples: readonly Example[]): string[] {
  const programs = new Map(examples.map((example, index) => [resolve(`example-${index}.ts`), example]));
  const options = compilerOptions();
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (file) => programs.has(file) || fileExists(file);
  host.getSourceFile = (file, ...rest) => {
    const example = programs.get(file);
    if (example === undefined) return getSourceFile.call(host, file, ...rest);
    return ts.createSourceFile(file, programText(example), ts.ScriptTarget.ES2022);
  };
  const program = ts.createProgram([...programs.keys()], options, host);
  return [...programs].flatMap(([file, example]) => {
    const source = program.getSourceFile(file);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map((one) => tell(example, one));
  });
}

/** The strictness of the project, with the package's name leading to its sources. */
function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, process.cwd());
  return { ...options, paths: doorPaths(), noUnusedLocals: false, noUnusedParameters: false };
}

/** Every door of the package, by the specifier that programs use, with the source behind it. */
function doorPaths(): Record<string, string[]> {
  const { name, exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    readonly name: string;
    readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  };
  return Object.fromEntries(
    Object.entries(exports)
      .filter((entry): entry is [string, { readonly default: string }] => typeof entry[1] !== 'string')
      .map(([door, target]) => [name + door.slice(1), [`./${sourceOf(target.default)}`]]),
  );
}

function programText(example: Example): string {
  return isComplete(example) ? example.code : scene + example.code;
}

function tell(example: Example, one: ts.Diagnostic): string {
  const before = isComplete(example) ? 0 : scene.split('\n').length - 1;
  const at = one.file?.getLineAndCharacterOfPosition(one.start ?? 0).line ?? 0;
  const message = ts.flattenDiagnosticMessageText(one.messageText, ' ');
  return `${example.document}:${example.line + at - before}: ${message}`;
}
