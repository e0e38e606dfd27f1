import { conflict, invalid } from '../../shared/errors.ts';
import type { Category, CategoryDraft } from './contract.ts';
import { assertVersion } from './version.ts';

/** The category and those above it, nearest first; empty for null. */
export function pathTo(categories: readonly Category[], id: string | null): Category[] {
  const byId = new Map(categories.map((category) => [category.id, category]));
  const path: Category[] = [];
  for (let next = id; next !== null; next = path.at(-1)!.parentId) {
    const category = byId.get(next);
    if (!category) throw unknownCategory();
    path.push(category);
  }
  return path;
}

/** The category's id and those of all below it. */
export function subtreeOf(categories: readonly Category[], id: string): string[] {
  const below = Map.groupBy(categories, ({ parentId }) => parentId);
  const collect = (root: string): string[] => [root, ...(below.get(root) ?? []).flatMap((child) => collect(child.id))];
  return collect(id);
}

/** Each category before those below it, siblings by position, then slug. */
export function inTreeOrder(categories: readonly Category[]): Category[] {
  const below = Map.groupBy(categories, ({ parentId }) => parentId);
  const collect = (parentId: string | null): Category[] =>
    (below.get(parentId) ?? []).toSorted(bySibling).flatMap((category) => [category, ...collect(category.id)]);
  return collect(null);
}

const bySibling = (a: Category, b: Category) => a.position - b.position || (a.slug < b.slug ? -1 : 1);

/** The category as `draft` says. Refuses `version_mismatch`, `unknown_category`, `category_cycle`. */
export function changeCategory(categories: readonly Category[], category: Category, version: number, draft: CategoryDraft): Category {
  assertVersion(category, version);
  if (pathTo(categories, draft.parentId).some(({ id }) => id === category.id)) {
    throw conflict('category_cycle', 'A category cannot stand below itself.');
  }
  return { ...category, ...draft, version: version + 1 };
}

/** True when products in it are found by other words than before. */
export const readsDifferently = (before: Category, after: Category): boolean =>
  before.parentId !== after.parentId || before.name.ko !== after.name.ko || before.name.en !== after.name.en;

export const unknownCategory = () => invalid('unknown_category', 'There is no such category.');
