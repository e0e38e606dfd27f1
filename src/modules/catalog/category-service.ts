import { type Transaction, transaction } from '../../shared/database.ts';
import { type AppError, conflict, notFound, violatedConstraint } from '../../shared/errors.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { lockProducts } from './catalog-repository.ts';
import { changeCategory, pathTo, readsDifferently, subtreeOf } from './categories.ts';
import { deleteCategory, holdCatalog, insertCategory, listCategories, updateCategory } from './category-repository.ts';
import { type Catalog, catalogContract, type Category } from './contract.ts';
import { relist } from './saving-service.ts';
import { assertVersion } from './version.ts';

const { methods } = catalogContract;

const inUse = () => conflict('category_in_use', 'Products or categories still stand below it.');
/** What each violated constraint means to the caller. */
const REFUSALS: Record<string, () => AppError> = {
  categories_slug: () => conflict('slug_taken', 'Another category has this slug.'),
  categories_parent: inUse,
  products_category: inUse,
};

type Editing = Pick<Catalog, 'createCategory' | 'updateCategory' | 'deleteCategory'>;

export function createCategoryEditing({ db }: ModuleContext): Editing {
  const alone = <T>(work: (trx: Transaction, categories: Category[]) => Promise<T>) =>
    transaction(db, async (trx) => {
      await holdCatalog(trx, 'alone');
      return work(trx, await listCategories(trx));
    }).catch(refuse);

  return {
    async createCategory(input) {
      const { id, draft } = methods.createCategory.input.parse(input);
      return alone(async (trx, categories) => {
        const first = categories.find((category) => category.id === id);
        if (first) return first;
        pathTo(categories, draft.parentId);
        const category = { ...draft, id, version: 1 };
        await insertCategory(trx, category);
        return category;
      });
    },

    async updateCategory(input) {
      const { id, version, draft } = methods.updateCategory.input.parse(input);
      return alone(async (trx, categories) => {
        const before = existing(categories, id);
        const after = changeCategory(categories, before, version, draft);
        await updateCategory(trx, after);
        if (readsDifferently(before, after)) {
          const products = await lockProducts(trx, 'category_id', subtreeOf(categories, id));
          await relist(trx, categories.map((category) => (category === before ? after : category)), products);
        }
        return after;
      });
    },

    deleteCategory: ({ id, version }) =>
      alone(async (trx, categories) => {
        assertVersion(existing(categories, id), version);
        await deleteCategory(trx, id);
        return {};
      }),
  };
}

function existing(categories: readonly Category[], id: string): Category {
  const category = categories.find((known) => known.id === id);
  if (!category) throw notFound('category');
  return category;
}

function refuse(error: unknown): never {
  const refusal = REFUSALS[violatedConstraint(error) ?? ''];
  throw refusal ? refusal() : error;
}
