import { type Transaction, transaction } from '../../shared/database.ts';
import { conflict, invalid } from '../../shared/errors.ts';
import { newId } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import type { Catalog } from '../catalog/contract.ts';
import type { Coupon } from '../coupon/contract.ts';
import type { Inventory } from '../inventory/contract.ts';
import { addCode, addItem, assertChangeable, assertOpenTo, type Cart, currencyNotOffered, inCurrency, removeCode, setQuantity } from './cart.ts';
import { findActiveCart, findCart, findSalesTerms, insertCart, lockCarts, lockCustomer, noteOperation, saveCart } from './cart-repository.ts';
import { presentCart } from './cart-view.ts';
import type { Orders, Viewer } from './contract.ts';
import { mergeCart } from './merge-cart-flow.ts';
import type { SalesTerms } from './pricing.ts';
import type { Price } from './pricing-service.ts';

type Carts = Pick<Orders, 'createCart' | 'getCart' | 'addItem' | 'setItemQuantity' | 'setEmail' | 'addCode' | 'removeCode' | 'mergeCart'>;
interface OneCart {
  cartId: string;
  viewer: Viewer;
}
type Callees = { catalog: Catalog; inventory: Inventory; coupon: Coupon; price: Price };

/** What is changed is changed under the cart's row lock; what is answered is priced after that, outside of it. */
export function createCartService({ db, now }: ModuleContext, { catalog, inventory, coupon, price }: Callees): Carts {
  return {
    async createCart({ cartId, viewer, currency }) {
      const terms = await findSalesTerms(db, currency);
      if (!terms) throw currencyNotOffered(currency);
      const customerId = viewer.kind === 'customer' ? viewer.customerId : null;
      const cart = await transaction(db, (trx) => begin(trx, { id: cartId, customerId, currency, updatedAt: now() }, terms));
      assertOpenTo(cart, viewer);
      return present(cart);
    },

    async getCart({ cartId, viewer }) {
      return present(await openCart(cartId, viewer));
    },

    async addItem({ cartId, viewer, operationId, quantity, version, ...item }) {
      const variantId = item.variantId.toLowerCase();
      const { currency } = await openCart(cartId, viewer);
      const { variants } = await catalog.priceVariants({ currency, variantIds: [variantId] });
      const problem = variants[0] ? variants[0].problem : 'unknown_variant';
      return decide({ cartId, viewer }, async (trx, cart) => {
        // A repeat comes first: what it added may be why it would be refused now.
        if (!(await noteOperation(trx, { id: operationId, cartId, at: now() }))) return cart;
        if (problem) throw conflict('item_unavailable', 'This item cannot be bought in the currency of the cart.', { lines: [{ variantId, problem }] });
        assertChangeable(cart, version);
        return addItem(cart, { id: newId(), variantId, quantity });
      });
    },

    setItemQuantity: ({ itemId, quantity, ...cart }) => change(cart, (found) => setQuantity(found, itemId.toLowerCase(), quantity)),

    setEmail: ({ email, ...cart }) => change(cart, (found) => ({ ...found, email })),

    async addCode({ code, ...cart }) {
      const { currency, customerId } = await openCart(cart.cartId, cart.viewer);
      const { codes } = await coupon.quote({ customerId, email: null, currency, lines: [], shipping: 0, codes: [code] });
      if (codes.some(({ reason }) => reason === 'unknown_code')) throw invalid('unknown_code', 'There is no such code.');
      return change(cart, (found) => addCode(found, code));
    },

    removeCode: ({ code, ...cart }) => change(cart, (found) => removeCode(found, code)),

    async mergeCart(input) {
      return present(await transaction(db, (trx) => mergeCart(trx, input, now())));
    },
  };

  async function begin(trx: Transaction, cart: Pick<Cart, 'id' | 'customerId' | 'currency' | 'updatedAt'>, terms: SalesTerms) {
    if (cart.customerId) {
      await lockCustomer(trx, cart.customerId);
      const first = await findCart(trx, cart.id);
      if (first) return first;
      const known = await findActiveCart(trx, cart.customerId);
      if (known?.currency === cart.currency) return known;
      // Something may be added to it, or it may be ordered, until it is locked.
      const [active] = known ? await lockCarts(trx, [known.id]) : [];
      if (active?.state === 'active') return saveCart(trx, active, inCurrency(active, terms), cart.updatedAt);
    }
    await insertCart(trx, cart);
    return findCart(trx, cart.id);
  }

  async function openCart(cartId: string, viewer: Viewer): Promise<Cart> {
    const cart = await findCart(db, cartId);
    assertOpenTo(cart, viewer);
    return cart;
  }

  function change({ version, ...cart }: OneCart & { version?: number | undefined }, become: (cart: Cart) => Cart) {
    return decide(cart, async (_, found) => {
      assertChangeable(found, version);
      return become(found);
    });
  }

  async function decide({ cartId, viewer }: OneCart, become: (trx: Transaction, cart: Cart) => Promise<Cart>) {
    const cart = await transaction(db, async (trx) => {
      const [found] = await lockCarts(trx, [cartId]);
      assertOpenTo(found, viewer);
      return saveCart(trx, found, await become(trx, found), now());
    });
    return present(cart);
  }

  async function present(cart: Cart) {
    const variantIds = cart.lines.map(({ variantId }) => variantId);
    const [priced, { levels }] = await Promise.all([
      price(cart),
      variantIds.length > 0 ? inventory.getLevels({ variantIds }) : { levels: [] },
    ]);
    return presentCart(cart, priced, levels);
  }
}
