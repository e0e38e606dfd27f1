import { z } from 'zod';
import { page, PageQuery, type Route, route } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import { Amount } from '../../shared/money.ts';
import { MoneyEvent, Payment, type Payments, paymentContract, PaymentState } from './contract.ts';
import { sandboxRoutes } from './sandbox/sandbox-routes.ts';

const OnePayment = z.strictObject({ paymentId: Id });
const Sum = Amount.min(1);

export function paymentRoutes(payments: Payments): Route[] {
  return [
    route({
      method: 'get',
      path: '/payment-providers',
      operationId: 'listPaymentProviders',
      tag: 'payments',
      summary: 'List the payment providers',
      description: 'What can be named in `payment.provider` when an order is placed, and the test tokens of each.',
      access: 'anyone',
      responses: { 200: { description: 'The providers', schema: paymentContract.methods.listProviders.output } },
      handle: async () => ({ body: await payments.listProviders({}) }),
    }),
    route({
      method: 'post',
      path: '/webhooks/payments/{provider}',
      operationId: 'receivePaymentWebhook',
      tag: 'payments',
      summary: 'Take in a webhook of a payment provider',
      description: 'For providers. Verified by its signature on the raw body, kept once by its event id, dealt with afterwards.',
      access: 'anyone',
      params: z.strictObject({ provider: z.string().min(1).max(50) }),
      raw: true,
      shedLast: true,
      responses: { 204: { description: 'Kept' } },
      problems: { 401: ['invalid_signature'], 404: ['unknown_provider'] },
      async handle({ params: { provider }, headers, rawBody }) {
        await payments.receiveWebhook({ provider, headers: present(headers), rawBody: rawBody.toString('utf8') });
        return {};
      },
    }),
    ...sandboxRoutes(payments),
    route({
      method: 'get',
      path: '/admin/payments',
      operationId: 'listPayments',
      tag: 'admin',
      summary: 'List payments, newest first',
      access: 'staff',
      query: PageQuery.extend({ orderId: Id.optional(), state: PaymentState.optional() }),
      responses: { 200: { description: 'Payments', schema: page(Payment) } },
      problems: { 400: ['invalid_cursor'] },
      handle: async ({ query }) => ({ body: await payments.listPayments(query) }),
    }),
    route({
      method: 'get',
      path: '/admin/payments/{paymentId}',
      operationId: 'getPayment',
      tag: 'admin',
      summary: 'Get a payment with its money events, oldest first',
      access: 'staff',
      params: OnePayment,
      responses: { 200: { description: 'The payment', schema: z.object({ payment: Payment, events: z.array(MoneyEvent) }) } },
      handle: async ({ params }) => ({ body: await payments.getDetails(params) }),
    }),
    route({
      method: 'post',
      path: '/admin/payments/{paymentId}/captures',
      operationId: 'capturePayment',
      tag: 'admin',
      summary: 'Take (part of) the sum that is held',
      description: 'When the provider refuses, the answer is the payment as it stands, with the failed capture among its events.',
      access: 'staff',
      idempotency: 'edge-required',
      params: OnePayment,
      body: z.strictObject({ amount: Sum }).meta({ example: { amount: 12_900 } }),
      responses: { 200: { description: 'The payment afterwards', schema: Payment } },
      problems: { 409: ['capture_too_large', 'payment_not_capturable'] },
      handle: async ({ params: { paymentId }, body, operationId }) => ({
        body: await payments.capture({ captureId: operationId, paymentId, ...body }),
      }),
    }),
    route({
      method: 'post',
      path: '/admin/payments/{paymentId}/refunds',
      operationId: 'refundPayment',
      tag: 'admin',
      summary: 'Give (part of) a captured sum back',
      description: '`refundPending` says what the provider has not confirmed yet. When it refuses, the failed refund is among the events.',
      access: 'staff',
      idempotency: 'edge-required',
      params: OnePayment,
      body: z
        .strictObject({ amount: Sum, reason: z.string().trim().max(500).default('') })
        .meta({ example: { amount: 5_000, reason: 'Arrived with a scratch' } }),
      responses: { 200: { description: 'The payment afterwards', schema: Payment } },
      problems: { 409: ['refund_too_large'] },
      handle: async ({ params: { paymentId }, body, operationId }) => ({
        body: await payments.refund({ refundId: operationId, paymentId, ...body }),
      }),
    }),
  ];
}

const present = (headers: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])));
