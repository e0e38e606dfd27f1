import type { ModuleContext } from '../../shared/module.ts';
import { createBrowsing } from './browsing-service.ts';
import { createCategoryEditing } from './category-service.ts';
import type { Catalog } from './contract.ts';
import { createImporting } from './import-service.ts';
import { createProductEditing } from './product-service.ts';

export const createCatalogService = (context: ModuleContext): Catalog => ({
  ...createBrowsing(context),
  ...createProductEditing(context),
  ...createCategoryEditing(context),
  ...createImporting(context),
});
