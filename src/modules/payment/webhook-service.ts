import { transaction } from '../../shared/database.ts';
import { unauthenticated, unavailable } from '../../shared/errors.ts';
import type { ModuleContext } from '../../shared/module.ts';
import type { Payments } from './contract.ts';
import { findPaymentByReference } from './payment-repository.ts';
import { noSuchProvider, type ProviderFlow } from './provider-flow.ts';
import type { SettleFlow } from './settle-flow.ts';
import { findWaitingWebhook, keepWebhook, markProcessed } from './webhook-repository.ts';

export type WebhookService = ReturnType<typeof createWebhookService>;

/** A webhook only says that there is news: it is kept, answered, and then the provider is asked what the news is. */
export function createWebhookService({ db, queue, now }: ModuleContext, { providers, settle }: { providers: ProviderFlow } & SettleFlow) {
  return {
    async receive({ provider, headers, rawBody }: Parameters<Payments['receiveWebhook']>[0]): Promise<Record<string, never>> {
      const sender = providers.find(provider);
      if (!sender) throw noSuchProvider();
      const verified = sender.verifyWebhook({ headers, rawBody });
      if (!verified) throw unauthenticated('The webhook is not signed by the provider, or not recently.', 'invalid_signature');
      const { eventId, reference } = verified;
      await transaction(db, async (trx) => {
        const waits = await keepWebhook(trx, { provider, eventId, reference }, now());
        if (waits) await queue.enqueue(trx, 'process-webhook', { provider, eventId });
      });
      return {};
    },

    /** Throws, and so is tried again, while the reference belongs to no payment yet or the provider does not answer. */
    async process({ provider, eventId }: { provider: string; eventId: string }): Promise<void> {
      const reference = await findWaitingWebhook(db, provider, eventId);
      if (reference === undefined) return;
      const payment = await findPaymentByReference(db, provider, reference);
      if (!payment) throw unavailable('No payment has this reference yet.');
      const reading = await providers.read(payment);
      if (reading.outcome !== 'known') throw unavailable('The provider does not say how the payment stands.');
      await settle(payment.id, { charge: reading.charge, facts: reading.charge.facts });
      await markProcessed(db, provider, eventId, now());
    },
  };
}
