import { describe, expect, it } from 'vitest';
import { createSeal } from '../../src/shared/seal.ts';

describe('a seal', () => {
  const seal = createSeal('a secret of this test, and of nothing else', 'notes');

  const changed = (sealed: string) => `${sealed.startsWith('A') ? 'B' : 'A'}${sealed.slice(1)}`;

  it('opens what it sealed, and seals the same text differently each time', () => {
    const [one, other] = [seal.seal('한 줄', 'id-1'), seal.seal('한 줄', 'id-1')];
    expect([seal.open(one, 'id-1'), seal.open(other, 'id-1')]).toEqual(['한 줄', '한 줄']);
    expect(one).not.toBe(other);
  });

  it.each([
    ['another id', () => seal.open(seal.seal('text', 'id-1'), 'id-2')],
    ['another purpose', () => createSeal('a secret of this test, and of nothing else', 'letters').open(seal.seal('text', 'id-1'), 'id-1')],
    ['another secret', () => createSeal('another secret, which is not the one above', 'notes').open(seal.seal('text', 'id-1'), 'id-1')],
    ['a changed text', () => seal.open(changed(seal.seal('text', 'id-1')), 'id-1')],
    ['half of it', () => seal.open(seal.seal('text', 'id-1').slice(0, 10), 'id-1')],
  ])('does not open for %s', (_what, open) => expect(open).toThrow());
});
