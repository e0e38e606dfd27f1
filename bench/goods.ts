import type { Client } from 'pg';
import { compose, type Kerf } from '../src/composition.ts';
import { catalogContract } from '../src/modules/catalog/contract.ts';
import { couponContract, type PromotionDraft } from '../src/modules/coupon/contract.ts';
import { newId } from '../src/shared/ids.ts';
import { createLogger } from '../src/shared/telemetry.ts';
import { moduleUrlAt, type Postgres, SECRET } from './shop.ts';

/* What a shop has in it before anybody is measured. Products come through their contract; stock and orders, of which there are many, by SQL. */

/** A product on sale, as clients know it. */
export interface Good {
  productId: string;
  variantId: string;
  /** finds it, and a handful of others however many there are */
  search: string;
}

export const CODE = 'BENCH';
const PRICE = 30_000;
const STOCK = 1_000_000;
const AT_ONCE = 2_000;

const KINDS = [['컵', 'cup'], ['접시', 'plate'], ['담요', 'blanket'], ['램프', 'lamp'], ['공책', 'notebook'], ['가방', 'bag'], ['의자', 'chair'], ['시계', 'clock'], ['주전자', 'kettle'], ['바구니', 'basket']] as const;
const nameOf = (number: number) => {
  const [ko, en] = KINDS[number % KINDS.length]!;
  return { ko: `조약돌 ${ko} ${number}호`, en: `Pebble ${en} no. ${number}` };
};

/** The modules of the shop in this process, with nothing running in the background. */
export const openBackOffice = (adminUrl: string, publicUrl = 'http://localhost') => compose({
  settings: { publicUrl, secret: SECRET, timeZone: 'Asia/Seoul', paymentWindowMinutes: 30, sandboxPayments: true, sendMail: async () => undefined },
  log: createLogger('error'), databaseUrl: (module) => moduleUrlAt(adminUrl, module), poolSize: 10,
});

/** A shop with a code, so many goods, and so many orders that were placed before; answers goods, and the ids that are the same in every order. */
export async function fill(postgres: Postgres, products: number, orders: number): Promise<{ goods: Good[]; kept: string[] }> {
  const office = openBackOffice(postgres.adminUrl);
  try {
    const kept = await openShop(office);
    const goods = await addGoods(office, postgres.admin, 1, products);
    await addOrders(postgres.admin, 1, orders);
    await postgres.quiet();
    return { goods, kept };
  } finally {
    await office.stop();
  }
}

/** The code that every order uses, and the category all goods are in; answers their ids. */
async function openShop(kerf: Kerf): Promise<string[]> {
  const [promotion, category] = [newId(), newId()];
  await kerf.service(couponContract).createPromotion({ id: promotion, draft: { name: 'Bench', class: 'order', benefit: { kind: 'percent', basisPoints: 1_000 }, currency: 'KRW', codes: [CODE] } as PromotionDraft });
  await kerf.service(catalogContract).createCategory({ id: category, draft: { slug: 'bench', name: { ko: '벤치', en: 'Bench' } } });
  return [promotion, category];
}

/** Products `from` to `to`, published and in stock; answers at most `known` of them, evenly spread. */
export async function addGoods(kerf: Kerf, admin: Client, from: number, to: number, known = 500): Promise<Good[]> {
  const catalog = kerf.service(catalogContract);
  const goods: Good[] = [];
  const every = Math.max(1, Math.floor((to - from + 1) / known));
  for (let first = from; first <= to; first += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, to - first + 1) }, (_, index) => first + index);
    const { variants, errors } = await catalog.importProducts({
      dryRun: false,
      rows: numbers.map((number) => ({
        line: number, slug: `pebble-${number}`, category: 'bench', name: nameOf(number), description: { ko: '손으로 빚어 하나하나 다릅니다. 식기세척기에 넣을 수 있습니다.', en: 'Made by hand, each one different. Goes into the dishwasher.' },
        options: {}, sku: `PEBBLE-${number}`, prices: { KRW: PRICE }, state: 'published' as const,
      })),
    });
    if (errors.length > 0) throw new Error(errors[0]!.message);
    const noted = numbers.filter((number) => number % every === 0);
    goods.push(...(await Promise.all(noted.map(async (number) => ({ productId: (await catalog.getProduct({ idOrSlug: `pebble-${number}` })).id, variantId: variants[`PEBBLE-${number}`]!, search: nameOf(number).ko })))));
  }
  await admin.query(STOCKED);
  return goods;
}

/** Pieces of every variant that has none, in inventory and in what catalog knows of it. */
const STOCKED = `
  insert into inventory.stock_movements select gen_random_uuid(), id, 'received', ${STOCK}, 'bench', '', 1, now() from catalog.variants where id not in (select variant_id from inventory.stock_items);
  insert into inventory.stock_items select id, ${STOCK}, 0, false, 1 from catalog.variants where id not in (select variant_id from inventory.stock_items);
  insert into catalog.availability select id, ${STOCK}, false, 1 from catalog.variants on conflict do nothing;`;

/** A readable UUID of one kind of things, made of a number. */
const id = (kind: number, number: string) => `('01900000-0000-7000-800${kind}-' || lpad(to_hex(${number}), 12, '0'))::uuid`;

const partsOf = (from: number, to: number) => `
  create or replace temporary view made as
    select n, ${id(1, 'n')} as id, ${id(2, 'n')} as payment, ${id(3, 'n % 50')} as promotion,
      case when n % 100 = 1 then 'pending' when n % 100 = 2 then 'cancelled' when n % 100 = 3 then 'refused' else 'placed' end as state,
      now() - interval '2 h' as at
    from generate_series(${from}, ${to}) as n;
  create or replace temporary view made_lines as
    select made.*, position, ${id(4, 'n * 2 + position')} as line, ${id(5, '(n * 7 + position) % 1000')} as variant
    from made cross join generate_series(0, 1) as position;`;

const FILL = [
  `insert into "order".orders (id, number, email, state, currency, subtotal, discount, shipping, shipping_discount, tax_included, total, codes, shipping_address,
     captured, refunded, holds_until, created_at, placed_at, expires_at)
   select id, 'B-' || n, 'bench@example.com', state, 'KRW', 60000, 6000, 0, 0, 4909, 54000, '[]', '{}',
     case when state in ('placed', 'cancelled') then 54000 else 0 end, case when state = 'cancelled' then 54000 else 0 end, at + interval '3 h', at,
     case when state in ('placed', 'cancelled') then at end, case when state = 'pending' then at + interval '3 h' end from made`,
  `insert into "order".order_lines select line, id, position, variant, variant, 'SKU', '{}', '{}', '[]', 1, 30000, 3000, 27000, 2455 from made_lines`,
  `insert into "order".order_discounts select id, promotion, 0, 'Bench', 'order', null, 6000,
     jsonb_build_array(jsonb_build_object('lineId', ${id(4, 'n * 2')}, 'amount', 3000), jsonb_build_object('lineId', ${id(4, 'n * 2 + 1')}, 'amount', 3000)) from made`,
  `insert into "order".order_history select id, 0, 'placing', at, 'guest', '' from made`,
  `insert into "order".order_history select id, 1, case when state = 'cancelled' then 'placed' else state end, at, 'payment', '' from made`,
  `insert into "order".order_history select id, 2, 'cancelled', at, 'guest', '' from made where state = 'cancelled'`,

  `insert into inventory.reservations select id, case state when 'placed' then 'committed' when 'pending' then 'held' when 'refused' then 'released' else 'cancelled' end,
     case state when 'pending' then at + interval '3 h' end from made`,
  `insert into inventory.reservation_lines select id, variant, 1, state = 'pending', case when state in ('placed', 'cancelled') then 1 else 0 end from made_lines`,
  `insert into inventory.stock_movements select gen_random_uuid(), variant, 'received', 1000000, 'bench', '', 0, now() from (select distinct variant from made_lines) as one on conflict do nothing`,
  `insert into inventory.stock_movements select gen_random_uuid(), variant, 'sold', -1, id::text, '', n, at from made_lines where state in ('placed', 'cancelled')`,
  `insert into inventory.stock_movements select gen_random_uuid(), variant, 'cancelled', 1, id::text, '', n, at from made_lines where state = 'cancelled'`,
  `insert into inventory.stock_items select variant_id, on_hand, coalesce(reserved, 0)
   from (select variant_id, sum(delta) as on_hand from inventory.stock_movements group by variant_id) as moved
   left join (select variant_id, count(*) as reserved from inventory.reservation_lines where held group by variant_id) as held using (variant_id)
   where variant_id in (select variant from made_lines) on conflict (variant_id) do update set on_hand = excluded.on_hand, reserved = excluded.reserved`,

  `insert into coupon.promotions (id, name, class, benefit, currency, scope, minimum_spend, combines_with, exclusive, priority, automatic, active, created_at)
   select distinct promotion, 'Bench', 'order', '{"kind": "percent", "basisPoints": 1000}'::jsonb, 'KRW', '{}'::jsonb, 0, '{}'::text[], false, 0, false, false, now() from made on conflict do nothing`,
  `insert into coupon.redemptions select id, promotion, 'guest:bench' || n || '@example.com', null, 6000, '[{"lineId": "a", "amount": 3000}, {"lineId": "b", "amount": 3000}]',
     case state when 'placed' then 'consumed' when 'pending' then 'reserved' when 'refused' then 'released' else 'returned' end, at + interval '3 h',
     case when state in ('placed', 'cancelled') then at end, case state when 'refused' then at end, case state when 'cancelled' then at end from made`,
  `insert into coupon.uses select promotion_id, counted_for, count(*) filter (where state in ('reserved', 'consumed')), null
   from coupon.redemptions cross join lateral (values ('everyone'), (customer_key)) as each (counted_for)
   where promotion_id in (select promotion from made) and counted_for is not null group by promotion_id, counted_for on conflict (promotion_id, counted_for) do update set used = excluded.used`,

  `insert into payment.payments (id, order_id, provider, amount, currency, capture, state, closed_as, reference, next_action_url, authorized, captured, refunded, created_at)
   select payment, id, 'sandbox', 54000, 'KRW', 'automatic', case state when 'placed' then 'captured' when 'pending' then 'requires_action' when 'refused' then 'declined' else 'cancelled' end,
     case state when 'refused' then 'declined' when 'cancelled' then 'cancelled' end, 'r' || n, case state when 'pending' then 'http://shop.test' end,
     case when state in ('placed', 'cancelled') then 54000 else 0 end, case when state in ('placed', 'cancelled') then 54000 else 0 end, case state when 'cancelled' then 54000 else 0 end, at from made`,
  `insert into payment.money_events select gen_random_uuid(), payment, kind, 'succeeded', 54000, 'r' || n, null, '', at, at
   from made cross join unnest(array['authorization', 'capture', 'refund']) as kind where state = 'cancelled' or (state = 'placed' and kind <> 'refund')`,
];

/** Orders `from` to `to` in all modules' tables. Of a hundred 97 are placed, one is pending, one cancelled and one refused. */
export async function addOrders(admin: Client, from: number, to: number): Promise<void> {
  await admin.query(`${partsOf(from, to)} begin; ${FILL.join(';\n')}; commit;`);
  await admin.query('vacuum (analyze)');
}
