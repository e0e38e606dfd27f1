import { on, type Subscription } from '../../shared/events.ts';
import { orderContract } from '../order/contract.ts';
import type { OperationFlow } from './operation-flow.ts';

/** Void what is held, refund what was taken. */
export const createPaymentSubscriptions = ({ cancel }: OperationFlow): Subscription[] => [
  on(orderContract.events.cancelled, (trx, { data: { orderId } }) => cancel(trx, orderId)),
  on(orderContract.events.expired, (trx, { data: { orderId } }) => cancel(trx, orderId)),
];
