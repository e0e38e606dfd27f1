import type { Route } from '../../shared/http.ts';
import { categoryAdminRoutes } from './category-admin-routes.ts';
import type { Catalog } from './contract.ts';
import { productAdminRoutes } from './product-admin-routes.ts';
import { shopRoutes } from './shop-routes.ts';

export const catalogRoutes = (catalog: Catalog): Route[] => [...shopRoutes(catalog), ...productAdminRoutes(catalog), ...categoryAdminRoutes(catalog)];
