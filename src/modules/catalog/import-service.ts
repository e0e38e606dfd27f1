import { transaction } from '../../shared/database.ts';
import { newId } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { findSkuOwners, lockProducts } from './catalog-repository.ts';
import { holdCatalog, listCategories } from './category-repository.ts';
import { type Catalog, catalogContract, type ImportReport } from './contract.ts';
import { planImport } from './product-import.ts';
import { saveProducts } from './saving-service.ts';

const { methods } = catalogContract;

/** Thrown to take everything back; carries what would have been answered. */
class TakenBack extends Error {
  readonly report: ImportReport;
  constructor(report: ImportReport) {
    super('The import is taken back.');
    this.report = report;
  }
}

export const createImporting = ({ db, publish, now }: ModuleContext): Pick<Catalog, 'importProducts'> => ({
  async importProducts(input) {
    const { rows, dryRun } = methods.importProducts.input.parse(input);
    const numbered = rows.map((row) => ({ ...row, newProductId: newId(), newVariantId: newId() }));
    return transaction(db, async (trx) => {
      await holdCatalog(trx, 'alone');
      const categories = await listCategories(trx);
      const products = await lockProducts(trx, 'slug', [...new Set(rows.map(({ slug }) => slug))]);
      const { changes, report } = planImport(
        numbered,
        {
          categories: new Map(categories.map(({ slug, id }) => [slug, id])),
          products: new Map(products.map((product) => [product.slug, product])),
          skus: await findSkuOwners(trx, rows.map(({ sku }) => sku)),
        },
        now(),
      );
      if (report.errors.length > 0) return report;
      await saveProducts(trx, publish, categories, changes);
      if (dryRun) throw new TakenBack(report);
      return report;
    }).catch((error: unknown) => {
      if (error instanceof TakenBack) return error.report;
      throw error;
    });
  },
});
