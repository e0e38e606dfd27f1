import { asReplay, unavailable } from '../../shared/errors.ts';
import type { Prepared } from './checkout-flow.ts';
import { type Claim, isCartChanged } from './claim-order-flow.ts';
import type { Placement } from './contract.ts';
import { beingPlaced, INTERRUPTED, type Order } from './order.ts';
import { type Placing, toError } from './placing-flow.ts';

interface Steps {
  /** 1: look up and price; nothing is locked */
  prepare: (input: Placement) => Promise<Prepared>;
  /** 2: take key, cart and order, in one transaction */
  claim: (input: Placement, prepared: Prepared) => Promise<Claim>;
  /** 3-5: reserve, pay, settle; or undo and say why */
  carryOut: Placing['carryOut'];
}

const PRICINGS = 4;

/** Placing an order as in docs/architecture.md. */
export function createPlaceOrder({ prepare, claim, carryOut }: Steps) {
  return async (input: Placement): Promise<{ order: Order; replayed: boolean }> => {
    const claimed = await claimAsPriced(input);
    if (claimed.kind === 'known') return { order: known(claimed.order), replayed: true };
    return { order: accepted(await carryOut(claimed.order, input.payment)), replayed: false };
  };

  /** A cart that was changed after it was priced is priced again. */
  async function claimAsPriced(input: Placement): Promise<Claim> {
    for (let pricing = 1; pricing <= PRICINGS; pricing += 1) {
      const prepared = await prepare(input);
      const claimed = await claim(input, prepared).catch((error: unknown) => {
        if (!isCartChanged(error)) throw error;
      });
      if (claimed) return claimed;
    }
    throw unavailable('The cart keeps being changed; try again.');
  }
}

/** A refusal answers as the same refusal, however often it is asked for; an order refused later is answered as it is. */
function known(order: Order): Order {
  if (order.refusal) throw asReplay(toError(order.refusal));
  return accepted(order);
}

function accepted(order: Order): Order {
  if (order.refusal) throw toError(order.refusal);
  if (order.state === 'placing') throw beingPlaced();
  if (order.reason === INTERRUPTED) throw unavailable();
  return order;
}
