// `npm run sim:whole -- --seeds 40`, which is `npm run sim -- --whole`.
import { wholeCommand } from './command.ts';

process.exitCode = await wholeCommand(process.argv.slice(2));
