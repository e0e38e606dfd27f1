import { describe, expect, it } from 'vitest';
import { MODULES } from '../../src/calls.ts';
import { GROUPINGS, processesOf } from './groupings.ts';

const places = ['edge', ...MODULES];
const pairs = places.flatMap((one, index) => places.slice(index + 1).map((other) => [one, other] as const));
const mixed = GROUPINGS.filter((grouping) => {
  const processes = processesOf(grouping);
  return processes.length > 1 && processes.length < places.length;
});

describe('the groupings that journeys are made in', () => {
  it('put every module into exactly one process', () => {
    for (const grouping of GROUPINGS) expect(processesOf(grouping).flat().toSorted(), grouping.placement).toEqual(places.toSorted());
  });

  it.each(pairs)('put %s and %s together in one mixed placement and apart in another', (one, other) => {
    const together = mixed.map((grouping) => processesOf(grouping).some((group) => group.includes(one) && group.includes(other)));
    expect([...new Set(together)].toSorted()).toEqual([false, true]);
  });

  it('have the public API with modules, and without', () => {
    const withModules = GROUPINGS.map((grouping) => processesOf(grouping).find((group) => group.includes('edge'))!.length > 1);
    expect([...new Set(withModules)].toSorted()).toEqual([false, true]);
  });
});
