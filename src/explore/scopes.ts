// The configurations. In most of them B leads at first, on the slowest clock that the bound allows, and the others are on
// the fastest: whoever counts a right of its own is slow, who waits for its end is fast. A lease is four quanta.

import type { Scope } from './scope.ts';
import { widerScopes } from './scopes-deep.ts';
import { scopesOfThree } from './scopes-three.ts';
import { scopesOfTwo } from './scopes-two.ts';

export const scopes: readonly Scope[] = [...scopesOfTwo, ...scopesOfThree, ...widerScopes];
