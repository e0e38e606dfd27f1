import { ContainerModule } from 'inversify';
import { type Module, type ModuleContext, tokens } from '../../shared/module.ts';
import { type Catalog, catalogContract } from '../catalog/contract.ts';
import { type Coupon, couponContract } from '../coupon/contract.ts';
import { type Inventory, inventoryContract } from '../inventory/contract.ts';
import { paymentContract, type Payments } from '../payment/contract.ts';
import { userContract, type Users } from '../user/contract.ts';
import { cartRoutes } from './cart-routes.ts';
import { orderContract, type Orders } from './contract.ts';
import { orderAdminRoutes } from './order-admin-routes.ts';
import { createOrderJobs } from './order-jobs.ts';
import { orderRoutes } from './order-routes.ts';
import { type Callees, createOrderService } from './order-service.ts';
import { createOrderSubscriptions, orderListens } from './order-subscriptions.ts';

const { context, routes, subscriptions, background } = tokens('order');
const callees = Symbol.for('kerf:order:callees');

export const orderModule: Module = {
  contract: orderContract,
  listens: orderListens,
  wiring: new ContainerModule(({ bind }) => {
    bind<Callees>(callees)
      .toResolvedValue(
        (users: Users, catalog: Catalog, inventory: Inventory, coupon: Coupon, payments: Payments) => ({ users, catalog, inventory, coupon, payments }),
        [userContract.token, catalogContract.token, inventoryContract.token, couponContract.token, paymentContract.token],
      )
      .inSingletonScope();
    bind<Orders>(orderContract.token).toResolvedValue(createOrderService, [context, callees]).inSingletonScope();
    bind(routes)
      .toResolvedValue((orders: Orders) => [...cartRoutes(orders), ...orderRoutes(orders), ...orderAdminRoutes(orders)], [orderContract.token])
      .inSingletonScope();
    bind(subscriptions).toResolvedValue((given: ModuleContext) => createOrderSubscriptions(given), [context]).inSingletonScope();
    bind(background).toResolvedValue(createOrderJobs, [context, callees]).inSingletonScope();
  }),
};
