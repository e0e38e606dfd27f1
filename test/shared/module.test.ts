import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineContract, event } from '../../src/shared/contract.ts';
import { on } from '../../src/shared/events.ts';
import { assertListens } from '../../src/shared/module.ts';

const contract = defineContract({ module: 'lamp', methods: {}, events: {} });
const lit = event('switch.lit', 'id', z.object({ id: z.string() }));
const dark = event('switch.dark', 'id', z.object({ id: z.string() }));
const handles = (...types: (typeof lit)[]) => types.map((type) => on(type, async () => undefined));

describe('what a module listens to', () => {
  it('is what it handles', () => expect(() => assertListens({ contract, listens: [lit, dark] }, handles(dark, lit))).not.toThrow());

  it('is refused when a handler is not listed: its events would never arrive', () => {
    expect(() => assertListens({ contract, listens: [lit] }, handles(lit, dark))).toThrow('lamp handles switch.dark and does not name it');
  });

  it('is refused when nothing handles it: its events would be lost', () => {
    expect(() => assertListens({ contract, listens: [lit, dark] }, handles(lit))).toThrow('lamp names switch.dark');
  });
});
