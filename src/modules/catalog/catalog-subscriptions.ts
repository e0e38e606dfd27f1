import { type Subscription, on } from '../../shared/events.ts';
import { inventoryContract } from '../inventory/contract.ts';
import { keepAvailability } from './catalog-repository.ts';

export const catalogSubscriptions: Subscription[] = [
  on(inventoryContract.events.availabilityChanged, async (trx, { data }) => {
    await keepAvailability(trx, data);
  }),
];
