import { type Database, rows, type Transaction } from '../../shared/database.ts';
import type { Category } from './contract.ts';

/**
 * Who edits a product holds the catalogue together with others; who changes the category tree or imports holds it
 * alone. First statement of every such transaction: texts derived from category names stay true, and no cycle of
 * categories comes together out of two edits.
 */
export const holdCatalog = (trx: Transaction, how: 'together' | 'alone') =>
  trx.raw(`select pg_advisory_xact_lock${how === 'together' ? '_shared' : ''}(hashtext('kerf catalog'))`);

interface CategoryRow {
  id: string;
  slug: string;
  name_ko: string;
  name_en: string;
  parent_id: string | null;
  position: number;
  version: number;
}

export async function listCategories(db: Database | Transaction): Promise<Category[]> {
  const found = await rows<CategoryRow>(db, 'select * from categories');
  return found.map(({ name_ko, name_en, parent_id, ...category }) => ({ ...category, name: { ko: name_ko, en: name_en }, parentId: parent_id }));
}

export const insertCategory = (trx: Transaction, category: Category) => trx('categories').insert(rowOf(category));

export const updateCategory = (trx: Transaction, category: Category) => trx('categories').where({ id: category.id }).update(rowOf(category));

export const deleteCategory = (trx: Transaction, id: string) => trx('categories').where({ id }).delete();

const rowOf = ({ name, parentId, ...category }: Category): CategoryRow => ({
  ...category,
  name_ko: name.ko,
  name_en: name.en,
  parent_id: parentId,
});
