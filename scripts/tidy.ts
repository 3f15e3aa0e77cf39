// The rules of this repository that no tool sells, as functions from text to faults. test/tidy.test.ts applies them to
// the tree, and to planted faults.
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';

export interface FunctionLength {
  readonly name: string;
  readonly lines: number;
}

/** Every function, method and arrow of a source with the lines it spans; nested ones on their own too. */
export function functionLengths(source: string): FunctionLength[] {
  const file = ts.createSourceFile('source.ts', source, ts.ScriptTarget.ES2022, true);
  const found: FunctionLength[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const first = file.getLineAndCharacterOfPosition(node.getStart(file)).line;
      const last = file.getLineAndCharacterOfPosition(node.getEnd()).line;
      found.push({ name: nameOf(node), lines: last - first + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function nameOf(node: ts.SignatureDeclaration): string {
  if (ts.isConstructorDeclaration(node)) return 'constructor';
  const named = node.name ?? (ts.isVariableDeclaration(node.parent) ? node.parent.name : undefined);
  return named?.getText() ?? 'anonymous';
}

const words = ['TO', 'FIX'] as const;
const unfinished = new RegExp(`\\b(${words[0]}DO|${words[1]}ME|XXX)\\b`);
const machinePath = /(^|[\s'"`(=:])\/(work|root|home|Users)\/[\w.-]+/;
const registryHost = /https?:\/\/(registry\.|npm\.|[\w.-]*(artifactory|nexus|verdaccio|proxy)[\w.-]*)/i;

/** Faults in one line of any tracked text. */
export function lineFaults(line: string): string[] {
  return [
    ...(unfinished.test(line) ? ['unfinished work is not marked in the source'] : []),
    ...(machinePath.test(line) ? ['a path of one machine'] : []),
    ...(registryHost.test(line) ? ['a package registry by address'] : []),
  ];
}

/** Faults in a TypeScript source: focused tests, skips without a reason, and catches that say nothing. */
export function sourceFaults(source: string): string[] {
  const file = ts.createSourceFile('source.ts', source, ts.ScriptTarget.ES2022, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCatchClause(node) && node.block.statements.length === 0) found.push('an empty catch');
    if (isSilentCatch(node)) found.push('a rejection swallowed without a word');
    if (ts.isPropertyAccessExpression(node) && /^(test|it|describe|suite)\.only$/.test(node.getText())) {
      found.push('a focused test');
    }
    if (ts.isPropertyAccessExpression(node) && /^(test|it|describe|suite)\.skip$/.test(node.getText())) {
      found.push('a skip without a reason: use { skip: "why" }');
    }
    if (ts.isPropertyAssignment(node) && node.name.getText() === 'only') found.push('a focused test');
    if (isBareSkip(node)) found.push('a skip without a reason');
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** `.catch(() => {})`: a comment inside, with the reason, makes it acceptable. */
function isSilentCatch(node: ts.Node): boolean {
  if (!ts.isCallExpression(node) || !/\.catch$/.test(node.expression.getText())) return false;
  const [handler] = node.arguments;
  return handler !== undefined && ts.isArrowFunction(handler) && /^\{\s*\}$/.test(handler.body.getText());
}

function isBareSkip(node: ts.Node): boolean {
  if (ts.isPropertyAssignment(node) && node.name.getText() === 'skip') {
    const { initializer } = node;
    return (
      initializer.kind === ts.SyntaxKind.TrueKeyword ||
      (ts.isStringLiteral(initializer) && initializer.text.trim() === '')
    );
  }
  return (
    ts.isCallExpression(node) &&
    node.arguments.length === 0 &&
    /^(t|context)\.skip$/.test(node.expression.getText())
  );
}

/** The relative targets of a Markdown text, as paths from the root; anchors and addresses are left out. */
export function linkTargets(markdown: string, file: string): string[] {
  const prose = markdown.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '');
  const targets = [...prose.matchAll(/\[[^\]]*\]\(([^)\s]+)[^)]*\)/g)].map((match) => match[1] ?? '');
  return targets
    .map((target) => target.replace(/#.*$/, ''))
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
    .map((target) => normalize(join(dirname(file), target)));
}

/** The source that a built file of the package comes from. */
export const sourceOf = (built: string): string =>
  built.replace(/^\.\/dist\//, 'src/').replace(/\.(d\.ts|js)$/, '.ts');

/** The test files that an incident note names. */
export const testsNamed = (markdown: string): string[] =>
  [...markdown.matchAll(/\btest\/[\w./-]+\.(ts|txt|json)\b/g)].map(([path]) => path);
