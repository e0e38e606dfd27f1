import { createHash } from 'node:crypto';
import { SpanKind } from '@opentelemetry/api';
import { insideTransaction } from '../../shared/database.ts';
import { AppError, conflict } from '../../shared/errors.ts';
import type { ModuleContext } from '../../shared/module.ts';
import type { Seal } from '../../shared/seal.ts';
import { inSpan } from '../../shared/spans.ts';
import type { Operation } from './money-facts.ts';
import type { PaymentRecord } from './payment.ts';
import type { Answer, PaymentProvider, Reading } from './provider.ts';

const UNKNOWN = { outcome: 'unknown' } as const;
const SPAN = { kind: SpanKind.CLIENT, attributes: { 'kerf.from': 'payment' } };

/** `deadline`: milliseconds that a provider may take to answer. */
export interface ProviderFlowOptions {
  deadline: number;
}

export type ProviderFlow = ReturnType<typeof createProviderFlow>;

/** Calls to providers: never in a transaction, never longer than the deadline, and whatever goes wrong is `unknown`. */
export function createProviderFlow(
  { log }: Pick<ModuleContext, 'log'>,
  { providers, seal, deadline }: { providers: readonly PaymentProvider[]; seal: Seal } & ProviderFlowOptions,
) {
  const byName = new Map(providers.map((provider) => [provider.name, provider]));

  return {
    all: providers,
    find: (name: string): PaymentProvider | undefined => byName.get(name),

    /** Does what the operation says. The key depends on the operation alone: a repeat does nothing more. */
    async perform(payment: PaymentRecord, operation: Operation): Promise<Answer> {
      const provider = providerOf(payment);
      const idempotencyKey = keyOf(payment.id, operation);
      const { operationId } = operation;
      const amount = { amount: operation.amount, currency: payment.amount.currency };
      if (operation.kind === 'authorization') {
        if (payment.sealedToken === null) return UNKNOWN;
        const token = seal.open(payment.sealedToken, payment.id);
        const request = { paymentId: payment.id, operationId, amount, token, capture: payment.capture === 'automatic' };
        return ask('authorize', (signal) => provider.authorize(request, { signal, idempotencyKey }));
      }
      const { kind } = operation;
      const { reference } = payment;
      if (reference === null) return UNKNOWN;
      return ask(kind, (signal) => provider[kind]({ reference, operationId, amount }, { signal, idempotencyKey }));
    },

    read: (payment: PaymentRecord): Promise<Reading> => ask('read', (signal) => providerOf(payment).readState({ paymentId: payment.id }, { signal })),
  };

  function providerOf({ provider: name }: PaymentRecord): PaymentProvider {
    const provider = byName.get(name);
    if (!provider) throw new Error(`A payment needs the provider "${name}", which is not configured any more.`);
    return provider;
  }

  async function ask<T>(what: string, call: (signal: AbortSignal) => Promise<T>): Promise<T | typeof UNKNOWN> {
    if (insideTransaction()) throw new Error('A provider was called inside a transaction: call it after the commit.');
    const signal = AbortSignal.timeout(deadline);
    const tooLate = new Promise<typeof UNKNOWN>((resolve) => signal.addEventListener('abort', () => resolve(UNKNOWN), { once: true }));
    try {
      return await Promise.race([inSpan(`provider.${what}`, SPAN, () => call(signal)), tooLate]);
    } catch (error) {
      log.warn({ err: error }, 'a payment provider did not answer as it should; it will be asked again');
      return UNKNOWN;
    }
  }
}

/** Deterministic, and different for each operation of each payment. */
const keyOf = (paymentId: string, { kind, operationId }: Operation) =>
  createHash('sha256').update(JSON.stringify([paymentId, kind, operationId])).digest('hex');

export const unknownProvider = () => conflict('unknown_provider', 'There is no such payment provider.');
export const noSuchProvider = () => new AppError('not_found', 'unknown_provider', 'There is no such payment provider.');
