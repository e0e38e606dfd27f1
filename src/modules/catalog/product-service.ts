import { type Transaction, transaction } from '../../shared/database.ts';
import { type AppError, conflict, notFound, violatedConstraint } from '../../shared/errors.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { findProductIdOfVariant, lockProducts } from './catalog-repository.ts';
import { unknownCategory } from './categories.ts';
import { holdCatalog, listCategories } from './category-repository.ts';
import { type Catalog, catalogContract, type Product, PublicationState } from './contract.ts';
import { findProduct } from './listing-repository.ts';
import { addVariant, type CatalogProduct, changeState, changeVariant, editProduct, newProduct } from './product.ts';
import { saveProducts } from './saving-service.ts';

const { methods } = catalogContract;
const ANY_STATE = PublicationState.options;

/** What each violated constraint means to the caller. */
const REFUSALS: Record<string, () => AppError> = {
  products_slug: () => conflict('slug_taken', 'Another product has this slug.'),
  products_category: unknownCategory,
  variants_sku: () => conflict('sku_taken', 'Another variant has this SKU.'),
};

type Editing = Pick<Catalog, 'createProduct' | 'updateProduct' | 'setProductState' | 'createVariant' | 'updateVariant'>;

export function createProductEditing({ db, publish, now }: ModuleContext): Editing {
  const edit = (find: (trx: Transaction) => Promise<string>, change: (product: CatalogProduct) => CatalogProduct) =>
    transaction(db, async (trx) => {
      await holdCatalog(trx, 'together');
      const [before] = await lockProducts(trx, 'id', [await find(trx)]);
      if (!before) throw notFound('product');
      await saveProducts(trx, publish, await listCategories(trx), [{ before, after: change(before) }]);
      return answer(trx, before.id);
    }).catch(refuse);
  const withId = (id: string) => async () => id;

  return {
    async createProduct(input) {
      const { id, draft } = methods.createProduct.input.parse(input);
      return transaction(db, async (trx) => {
        await holdCatalog(trx, 'alone');
        const [first] = await lockProducts(trx, 'id', [id]);
        const change = { before: first, after: first ?? newProduct(id, draft, now()) };
        await saveProducts(trx, publish, await listCategories(trx), [change]);
        return answer(trx, id);
      }).catch(refuse);
    },

    async updateProduct(input) {
      const { id, version, draft } = methods.updateProduct.input.parse(input);
      return edit(withId(id), (product) => editProduct(product, version, draft, now()));
    },

    setProductState: ({ id, version, state }) => edit(withId(id), (product) => changeState(product, version, state, now())),

    async createVariant(input) {
      const { id, productId, draft } = methods.createVariant.input.parse(input);
      return edit(withId(productId), (product) => addVariant(product, id, draft, now()));
    },

    async updateVariant(input) {
      const { id, version, draft } = methods.updateVariant.input.parse(input);
      const productId = async (trx: Transaction) => {
        const found = await findProductIdOfVariant(trx, id);
        if (!found) throw notFound('variant');
        return found;
      };
      return edit(productId, (product) => changeVariant(product, version, id, draft, now()));
    },
  };
}

async function answer(trx: Transaction, id: string): Promise<Product> {
  const product = await findProduct(trx, id, ANY_STATE);
  if (!product) throw notFound('product');
  return product;
}

function refuse(error: unknown): never {
  const refusal = REFUSALS[violatedConstraint(error) ?? ''];
  throw refusal ? refusal() : error;
}
