// Loaded with `--import`: edits the sources of one defect as they are loaded, so that the tools and the tests run on it as
// they are. The name of the defect is in MUTANT; without it nothing is edited.
import { registerHooks } from 'node:module';
import { type Defect, defects, edited } from '../src/sim/defects.ts';

const name = process.env.MUTANT;
const defect = defects.find((one) => one.name === name);
if (name !== undefined && defect === undefined) throw new Error(`no defect ${name}`);
if (defect !== undefined) plant(defect);

function plant({ edits }: Defect): void {
  const urlOf = (file: string): string => new URL(`../src/${file}`, import.meta.url).href;
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      const here = edits.filter(({ file }) => urlOf(file) === url);
      if (here.length === 0) return loaded;
      return { ...loaded, source: here.reduce(edited, String(loaded.source)) };
    },
  });
}
