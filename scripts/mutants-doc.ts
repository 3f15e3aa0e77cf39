// The table of docs/MUTANTS.md, from the list of defects: `npm run mutants-doc` writes it. What stands outside the marks is
// written by hand.
import { readFileSync, writeFileSync } from 'node:fs';
import { invariants } from '../src/invariants/catalogue.ts';
import { type Defect, defects, type Finder } from '../src/sim/defects.ts';

const file = 'docs/MUTANTS.md';
const begin = '<!-- defects: npm run mutants-doc -->\n';
const end = '<!-- end of defects -->\n';

function tellFinder(finder: Finder): string {
  if ('explore' in finder) return `explorer, ${finder.explore}`;
  if (!('test' in finder)) return `seeds ${finder.first} to ${finder.first + finder.seeds - 1}`;
  return finder.name === '' ? `\`${finder.test}\`` : `\`${finder.test}\`: ${finder.name}`;
}

function rowOf({ name, edits, protects, finders }: Defect): string {
  const files = [...new Set(edits.map((edit) => edit.file.replace('registry/protocol/', '')))];
  const rule = protects === 'use' ? 'use' : `${invariants[protects].id} ${protects}`;
  const cells = [name, files.map((one) => `\`${one}\``).join(', '), rule, finders.map(tellFinder).join('; ')];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** The whole document, as it should be; `text` is the document as it is. */
export function mutantsDoc(text: string): string {
  const [head, rest] = text.split(begin);
  const [, tail] = rest?.split(end) ?? [];
  if (head === undefined || tail === undefined) throw new Error(`${file} has lost its marks`);
  const title = '| without the guard | in | protects | found by |\n| --- | --- | --- | --- |\n';
  const rows = defects.map(rowOf).join('\n');
  return `${head}${begin}\n${defects.length} defects.\n\n${title}${rows}\n\n${end}${tail}`;
}

if (import.meta.main) writeFileSync(file, mutantsDoc(readFileSync(file, 'utf8')));
