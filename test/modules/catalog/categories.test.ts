import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changeCategory, inTreeOrder, pathTo, readsDifferently, subtreeOf } from '../../../src/modules/catalog/categories.ts';
import type { Category } from '../../../src/modules/catalog/contract.ts';

const category = (id: string, parentId: string | null = null, position = 0): Category => ({ id, slug: id, name: { ko: id, en: '' }, parentId, position, version: 1 });
const TREE = [category('tumblers', 'drinkware'), category('audio', null, 2), category('drinkware', 'kitchen', 2), category('tableware', 'kitchen', 1), category('kitchen', null, 1)];
const ids = (list: readonly Category[]) => list.map(({ id }) => id);
const draftOf = ({ slug, name, parentId, position }: Category) => ({ slug, name, parentId, position });

describe('the tree of categories', () => {
  it('comes parents first, siblings by position', () => {
    expect(ids(inTreeOrder(TREE))).toEqual(['kitchen', 'tableware', 'drinkware', 'tumblers', 'audio']);
  });

  it('tells the way up and all that is below', () => {
    expect(ids(pathTo(TREE, 'tumblers'))).toEqual(['tumblers', 'drinkware', 'kitchen']);
    expect(pathTo(TREE, null)).toEqual([]);
    expect(() => pathTo(TREE, 'none')).toThrow(expect.objectContaining({ reason: 'unknown_category' }));
    expect(subtreeOf(TREE, 'kitchen').toSorted()).toEqual(['drinkware', 'kitchen', 'tableware', 'tumblers']);
  });

  it('orders any tree completely, each category after the one above it', () => {
    const forest = fc.array(fc.record({ parent: fc.nat(), position: fc.nat(3) }), { maxLength: 30 }).map((nodes) =>
      nodes.map(({ parent, position }, index) => category(`c${index}`, index > 0 && parent % (index + 1) < index ? `c${parent % index}` : null, position)),
    );
    fc.assert(
      fc.property(forest, (categories) => {
        const order = ids(inTreeOrder(categories));
        expect(order.toSorted()).toEqual(ids(categories).toSorted());
        const misplaced = categories.filter(({ id, parentId }) => parentId && order.indexOf(parentId) > order.indexOf(id));
        expect(misplaced).toEqual([]);
      }),
    );
  });
});

describe('moving a category', () => {
  const kitchen = TREE.find(({ id }) => id === 'kitchen')!;
  it.each(['kitchen', 'drinkware', 'tumblers'])('below %s, itself or its own, is refused', (parentId) => {
    expect(() => changeCategory(TREE, kitchen, 1, { ...draftOf(kitchen), parentId })).toThrow(expect.objectContaining({ reason: 'category_cycle' }));
  });
  it('elsewhere takes a step of the version', () => {
    expect(changeCategory(TREE, kitchen, 1, { ...draftOf(kitchen), parentId: 'audio' })).toEqual({ ...kitchen, parentId: 'audio', version: 2 });
  });
  it('needs a parent that exists and the newest version', () => {
    expect(() => changeCategory(TREE, kitchen, 1, { ...draftOf(kitchen), parentId: 'none' })).toThrow(expect.objectContaining({ reason: 'unknown_category' }));
    expect(() => changeCategory(TREE, kitchen, 2, draftOf(kitchen))).toThrow(expect.objectContaining({ reason: 'version_mismatch' }));
  });
  it('changes what its products are found by when name or place change, not with slug or position', () => {
    expect(readsDifferently(kitchen, { ...kitchen, slug: 'x', position: 9 })).toBe(false);
    expect(readsDifferently(kitchen, { ...kitchen, name: { ko: '부엌', en: '' } })).toBe(true);
    expect(readsDifferently(kitchen, { ...kitchen, parentId: 'audio' })).toBe(true);
  });
});
