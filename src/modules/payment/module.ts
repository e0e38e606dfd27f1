import { ContainerModule } from 'inversify';
import { type Module, type ModuleContext, tokens } from '../../shared/module.ts';
import { createSeal } from '../../shared/seal.ts';
import { orderContract } from '../order/contract.ts';
import { paymentContract } from './contract.ts';
import { createOperationFlow } from './operation-flow.ts';
import { createPaymentJobs } from './payment-jobs.ts';
import { paymentRoutes } from './payment-routes.ts';
import { createPaymentService } from './payment-service.ts';
import { createPaymentSubscriptions } from './payment-subscriptions.ts';
import type { PaymentProvider } from './provider.ts';
import { createProviderFlow } from './provider-flow.ts';
import { createSandbox } from './sandbox/sandbox-provider.ts';
import { createSettleFlow } from './settle-flow.ts';
import { createWebhookService } from './webhook-service.ts';

const { context, routes, subscriptions, background } = tokens('payment');
const assembled = Symbol.for('kerf:payment:assembled');

/** Everything the module consists of. A provider gets this long to answer, in milliseconds; the contract promises 10 s. */
export function assemble(given: ModuleContext, { providers = [] as PaymentProvider[], deadline = 5_000, lateAfter = 2 } = {}) {
  const sandbox = given.settings.sandboxPayments ? createSandbox(given, { lateAfter }) : undefined;
  const seal = createSeal(given.settings.secret, 'payment tokens');
  const flow = createProviderFlow(given, { providers: sandbox ? [...providers, sandbox] : providers, seal, deadline });
  const { settle } = createSettleFlow(given);
  const operations = createOperationFlow(given, { providers: flow, settle });
  const webhooks = createWebhookService(given, { providers: flow, settle });
  const { jobs, sweeps } = createPaymentJobs(given, { providers: flow, operations, settle });
  return {
    service: createPaymentService(given, { providers: flow, operations, settle, webhooks, seal, sandbox }),
    subscriptions: createPaymentSubscriptions(operations),
    background: { jobs: { ...jobs, 'process-webhook': webhooks.process, ...sandbox?.jobs }, sweeps },
  };
}
type Assembled = ReturnType<typeof assemble>;

export const paymentModule: Module = {
  contract: paymentContract,
  listens: [orderContract.events.cancelled, orderContract.events.expired],
  wiring: new ContainerModule(({ bind }) => {
    bind<Assembled>(assembled).toResolvedValue((given: ModuleContext) => assemble(given), [context]).inSingletonScope();
    bind(paymentContract.token).toResolvedValue(({ service }: Assembled) => service, [assembled]).inSingletonScope();
    bind(routes).toResolvedValue(paymentRoutes, [paymentContract.token]).inSingletonScope();
    bind(subscriptions).toResolvedValue((parts: Assembled) => parts.subscriptions, [assembled]).inSingletonScope();
    bind(background).toResolvedValue((parts: Assembled) => parts.background, [assembled]).inSingletonScope();
  }),
};
