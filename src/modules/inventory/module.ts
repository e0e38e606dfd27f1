import { ContainerModule } from 'inversify';
import { type Module, tokens } from '../../shared/module.ts';
import { orderContract } from '../order/contract.ts';
import { type Inventory, inventoryContract } from './contract.ts';
import { inventoryRoutes } from './inventory-routes.ts';
import { createInventoryService } from './inventory-service.ts';
import { createInventorySubscriptions } from './inventory-subscriptions.ts';
import { createStockFlow, type StockFlow } from './stock-flow.ts';

const { context, routes, subscriptions, background } = tokens('inventory');
const stockFlow = Symbol.for('kerf:inventory:stock-flow');

const { placed, cancelled, expired } = orderContract.events;

export const inventoryModule: Module = {
  contract: inventoryContract,
  listens: [placed, cancelled, expired],
  wiring: new ContainerModule(({ bind }) => {
    bind<StockFlow>(stockFlow).toResolvedValue(createStockFlow, [context]).inSingletonScope();
    bind<Inventory>(inventoryContract.token).toResolvedValue(createInventoryService, [context, stockFlow]).inSingletonScope();
    bind(routes).toResolvedValue(inventoryRoutes, [inventoryContract.token]).inSingletonScope();
    bind(subscriptions).toResolvedValue(createInventorySubscriptions, [context, stockFlow]).inSingletonScope();
    bind(background)
      .toResolvedValue((flow: StockFlow) => ({ sweeps: [{ name: 'lapsed holds', every: 30, run: flow.tidyLapsed }] }), [stockFlow])
      .inSingletonScope();
  }),
};
