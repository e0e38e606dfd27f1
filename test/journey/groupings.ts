import { MODULES } from '../../src/calls.ts';
import type { TestPlacement } from '../support/kerf.ts';

type Grouping = TestPlacement & { placement: string };

/** From nothing between two modules to everything. */
export const EXTREMES: readonly Grouping[] = [
  { placement: 'one process' },
  { placement: 'every call over the wire encoding', forceWire: true },
  { placement: 'every module apart', apart: MODULES.map((name) => [name]) },
];

/**
 * The placements that every journey is made in. In the mixed ones each pair of the modules and the public API shares a
 * process in one and not in another: of seven places no fewer than three groupings do that.
 */
export const GROUPINGS: readonly Grouping[] = [
  ...EXTREMES,
  { placement: 'payment apart, the public API without modules', apart: [['payment'], ['user', 'catalog', 'inventory', 'coupon', 'order']] },
  { placement: 'order and user apart', apart: [['order'], ['user']] },
  { placement: 'inventory and coupon apart', apart: [['inventory'], ['coupon']] },
];

/** Who shares a process: the modules of each, and the public API as `edge`. */
export function processesOf({ apart = [] }: TestPlacement): string[][] {
  const rest = MODULES.filter((name) => !apart.flat().includes(name));
  return [['edge', ...rest], ...apart.map((group) => [...group])];
}
