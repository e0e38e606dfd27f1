import { ContainerModule } from 'inversify';
import { type Background, type Module, type ModuleContext, tokens } from '../../shared/module.ts';
import { orderContract } from '../order/contract.ts';
import { type Coupon, couponContract } from './contract.ts';
import { couponRoutes } from './coupon-routes.ts';
import { createCouponService } from './coupon-service.ts';
import { couponSubscriptions } from './coupon-subscriptions.ts';
import { takeBackLapsed } from './redemption-repository.ts';

const { context, routes, subscriptions, background } = tokens('coupon');
const { placed, cancelled, expired } = orderContract.events;

const createBackground = ({ db, now }: ModuleContext): Background => ({
  sweeps: [{ name: 'lapsed reservations', every: 30, run: () => takeBackLapsed(db, now()) }],
});

export const couponModule: Module = {
  contract: couponContract,
  listens: [placed, cancelled, expired],
  wiring: new ContainerModule(({ bind }) => {
    bind<Coupon>(couponContract.token).toResolvedValue(createCouponService, [context]).inSingletonScope();
    bind(routes).toResolvedValue(couponRoutes, [couponContract.token]).inSingletonScope();
    bind(subscriptions).toResolvedValue(couponSubscriptions).inSingletonScope();
    bind(background).toResolvedValue(createBackground, [context]).inSingletonScope();
  }),
};
