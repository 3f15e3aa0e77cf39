// The exit reasons that mean something to the runtime. They are atoms, as on every Erlang node.
import { type Atom, atom } from '../term/atom.ts';

export const normal: Atom = atom('normal');
export const shutdown: Atom = atom('shutdown');
export const kill: Atom = atom('kill');
export const killed: Atom = atom('killed');
export const noproc: Atom = atom('noproc');
export const noconnection: Atom = atom('noconnection');
export const mailboxFull: Atom = atom('mailbox_full');
