import { ContainerModule } from 'inversify';
import { type Module, type ModuleContext, tokens } from '../../shared/module.ts';
import { userContract } from './contract.ts';
import { createUserBackground } from './user-jobs.ts';
import { userRoutes } from './user-routes.ts';
import { createUserService } from './user-service.ts';

const { context, routes, background } = tokens(userContract.module);

export const userModule: Module = {
  contract: userContract,
  listens: [],
  wiring: new ContainerModule(({ bind }) => {
    bind(userContract.token).toResolvedValue((given: ModuleContext) => createUserService(given), [context]).inSingletonScope();
    bind(routes).toResolvedValue(userRoutes, [userContract.token]).inSingletonScope();
    bind(background).toResolvedValue(createUserBackground, [context]).inSingletonScope();
  }),
};
