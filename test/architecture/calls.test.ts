import { describe, expect, it } from 'vitest';
import { calls, MODULES } from '../../src/calls.ts';

describe('the table of allowed calls', () => {
  it('names modules that exist', () => {
    const named = new Set(Object.entries(calls).flatMap(([from, to]) => [from, ...to]));
    expect([...named].filter((name) => !MODULES.includes(name))).toEqual([]);
  });

  it('has no cycle', () => {
    const below = (module: string, path: string[]): string[][] =>
      path.includes(module) ? [[...path, module]] : (calls[module] ?? []).flatMap((next) => below(next, [...path, module]));
    expect(MODULES.flatMap((module) => below(module, []))).toEqual([]);
  });
});
