import { ContainerModule } from 'inversify';
import { type Module, type ModuleContext, type Route, type Subscription, tokens } from '../../shared/module.ts';
import { inventoryContract } from '../inventory/contract.ts';
import { catalogRoutes } from './catalog-routes.ts';
import { createCatalogService } from './catalog-service.ts';
import { catalogSubscriptions } from './catalog-subscriptions.ts';
import { type Catalog, catalogContract } from './contract.ts';

const { context, routes, subscriptions } = tokens('catalog');

export const catalogModule: Module = {
  contract: catalogContract,
  listens: [inventoryContract.events.availabilityChanged],
  wiring: new ContainerModule(({ bind }) => {
    bind<Catalog>(catalogContract.token).toResolvedValue((given: ModuleContext) => createCatalogService(given), [context]).inSingletonScope();
    bind<Route[]>(routes).toResolvedValue((catalog: Catalog) => catalogRoutes(catalog), [catalogContract.token]).inSingletonScope();
    bind<Subscription[]>(subscriptions).toConstantValue(catalogSubscriptions);
  }),
};
