import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { MODULES } from '../src/calls.ts';
import { compose } from '../src/composition.ts';
import { SCHEMAS } from '../src/setup/database.ts';
import { startEmbeddedPostgres } from '../src/setup/embedded-postgres.ts';
import { listen } from '../src/setup/listen.ts';
import { moduleUrl, provision } from '../src/setup/provision.ts';
import { createLogger } from '../src/shared/telemetry.ts';
import { formatReport } from '../src/verify/report.ts';
import { sourcesOf, verify } from '../src/verify/verify.ts';

/*
 * How long `kerf verify` takes, and how much memory, in a shop with many orders: `node bench/verify.ts [orders]`. Of a
 * hundred orders 97 are placed, one is pending, one cancelled and one refused. First with all modules in one process, then
 * with each of the four that hold a part of the truth behind a port of its own.
 */

const ORDERS = Number(process.argv[2] ?? 100_000);
const SECRET = 'a secret for the bench, known to all who read it';
const directory = await mkdtemp(join(tmpdir(), 'kerf-bench-'));
await chmod(directory, 0o755);
const postgres = await startEmbeddedPostgres({ dataDir: join(directory, 'postgres') });
await provision({ adminUrl: postgres.adminUrl, schemas: SCHEMAS, secret: SECRET });
const admin = new Client({ connectionString: postgres.adminUrl });
await admin.connect();

/** A readable UUID of one kind of things, made of a number. */
const id = (kind: number, number: string) => `('01900000-0000-7000-800${kind}-' || lpad(to_hex(${number}), 12, '0'))::uuid`;

const PARTS = `
  create temporary view made as
    select n, ${id(1, 'n')} as id, ${id(2, 'n')} as payment, ${id(3, 'n % 50')} as promotion,
      case when n % 100 = 1 then 'pending' when n % 100 = 2 then 'cancelled' when n % 100 = 3 then 'refused' else 'placed' end as state,
      now() - interval '2 h' as at
    from generate_series(1, ${ORDERS}) as n;
  create temporary view made_lines as
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
  `insert into inventory.stock_movements select gen_random_uuid(), variant, 'received', 1000000, 'bench', '', 0, now() from (select distinct variant from made_lines) as one`,
  `insert into inventory.stock_movements select gen_random_uuid(), variant, 'sold', -1, id::text, '', n, at from made_lines where state in ('placed', 'cancelled')`,
  `insert into inventory.stock_movements select gen_random_uuid(), variant, 'cancelled', 1, id::text, '', n, at from made_lines where state = 'cancelled'`,
  `insert into inventory.stock_items select m.variant_id, sum(delta), (select count(*) from inventory.reservation_lines l where l.variant_id = m.variant_id and held) from inventory.stock_movements m group by m.variant_id`,

  `insert into coupon.promotions (id, name, class, benefit, currency, scope, minimum_spend, combines_with, exclusive, priority, automatic, active, created_at)
   select distinct promotion, 'Bench', 'order', '{"kind": "percent", "basisPoints": 1000}'::jsonb, 'KRW', '{}'::jsonb, 0, '{}'::text[], false, 0, true, true, now() from made`,
  `insert into coupon.redemptions select id, promotion, 'guest:bench' || n || '@example.com', null, 6000, '[{"lineId": "a", "amount": 3000}, {"lineId": "b", "amount": 3000}]',
     case state when 'placed' then 'consumed' when 'pending' then 'reserved' when 'refused' then 'released' else 'returned' end, at + interval '3 h',
     case when state in ('placed', 'cancelled') then at end, case state when 'refused' then at end, case state when 'cancelled' then at end from made`,
  `insert into coupon.uses select promotion_id, counted_for, count(*) filter (where state in ('reserved', 'consumed')), null
   from coupon.redemptions cross join lateral (values ('everyone'), (customer_key)) as each (counted_for) group by promotion_id, counted_for`,

  `insert into payment.payments (id, order_id, provider, amount, currency, capture, state, closed_as, reference, next_action_url, authorized, captured, refunded, created_at)
   select payment, id, 'sandbox', 54000, 'KRW', 'automatic', case state when 'placed' then 'captured' when 'pending' then 'requires_action' when 'refused' then 'declined' else 'cancelled' end,
     case state when 'refused' then 'declined' when 'cancelled' then 'cancelled' end, 'r' || n, case state when 'pending' then 'http://shop.test' end,
     case when state in ('placed', 'cancelled') then 54000 else 0 end, case when state in ('placed', 'cancelled') then 54000 else 0 end, case state when 'cancelled' then 54000 else 0 end, at from made`,
  `insert into payment.money_events select gen_random_uuid(), payment, kind, 'succeeded', 54000, 'r' || n, null, '', at, at
   from made cross join unnest(array['authorization', 'capture', 'refund']) as kind where state = 'cancelled' or (state = 'placed' and kind <> 'refund')`,
];

const since = (start: number) => `${((performance.now() - start) / 1_000).toFixed(1)} s`;
const filling = performance.now();
await admin.query(PARTS);
for (const statement of FILL) await admin.query(statement);
await admin.query('analyze');
await admin.end();
console.log(`${ORDERS.toLocaleString('en')} orders made in ${since(filling)}.`);

const composition = {
  settings: { publicUrl: 'http://localhost', secret: SECRET, timeZone: 'Asia/Seoul', paymentWindowMinutes: 30, sandboxPayments: true, sendMail: async () => undefined },
  log: createLogger('error'), databaseUrl: (module: string) => moduleUrl(postgres.adminUrl, module, SECRET), poolSize: 10,
};

async function measure(where: string, apart: readonly string[]): Promise<void> {
  const hosts = await Promise.all(apart.map(async (module) => ({ module, inside: await listen({ host: '127.0.0.1', port: 0, preferred: 0, variable: 'KERF_INTERNAL_PORT' }) })));
  const addresses = Object.fromEntries(hosts.map(({ module, inside }) => [module, inside.address]));
  const front = compose({ ...composition, placement: { hosts: MODULES.filter((module) => !apart.includes(module)), addresses, edge: false } });
  // A host that calls nobody here needs nobody: its clients are never used.
  const others = hosts.map(({ module, inside }) => {
    const kerf = compose({ ...composition, placement: { hosts: [module], addresses: Object.fromEntries(MODULES.map((name) => [name, 'http://127.0.0.1:9'])), edge: false } });
    inside.serve(kerf.seam);
    return { kerf, inside };
  });
  let peak = 0;
  const sampling = setInterval(() => { peak = Math.max(peak, process.memoryUsage().rss); }, 50);
  const [start, used] = [performance.now(), process.cpuUsage()];
  const report = await verify(sourcesOf(front), { databases: new Map(), now: () => new Date(), grace: 60_000 });
  console.log(`${where}: ${since(start)}, of which this process computed ${(process.cpuUsage(used).user / 1_000_000).toFixed(1)} s; ${Math.round(peak / 2 ** 20)} MB at most.`);
  clearInterval(sampling);
  if (!report.holds || report.orders !== ORDERS) console.log(formatReport(report));
  await front.stop();
  for (const { kerf, inside } of others) {
    await kerf.stop();
    await inside.close(1_000);
  }
}

try {
  await measure('In one process', []);
  await measure('Four modules apart', ['order', 'payment', 'inventory', 'coupon']);
} finally {
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}
