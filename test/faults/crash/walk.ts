import { newId } from '../../../src/shared/ids.ts';
import type { Aim, Point } from './faults.ts';
import { FLOWS, isQuiet, nameOf, type Told } from './flows.ts';
import type { CrashShop } from './shop.ts';

/** The points of a flow, when nothing happens to it. */
export const listPoints = (shop: CrashShop, flow: string): Promise<Point[]> => walk(shop, flow, undefined);

/**
 * Walks a flow with a fault at one of its points, and answers the points it came by. Throws unless all ends as it ends
 * without: answered alike, done once, and every invariant holds.
 */
export async function walk(shop: CrashShop, flow: string, aim: Aim | undefined): Promise<Point[]> {
  const { ends, takes, walk: go } = FLOWS[flow]!;
  const email = `${newId()}@example.com`;
  await shop.watch();
  let deaths = 0;
  const begin = async () => {
    await shop.watch(aim, takes);
    deaths = shop.deaths();
  };
  const told = await go(shop, { email, begin });
  let missing: string[] = [];
  await shop
    .until('every invariant holds', async () => {
      const left = (await isQuiet(shop)) ? [] : ['Events or jobs are left.'];
      missing = left.length > 0 ? left : await shop.ask('violations').catch((error: Error) => [error.message]);
      return missing.length === 0;
    })
    .catch((error: Error) => {
      throw new Error([error.message, ...missing].join('\n  '));
    });
  if (aim && shop.deaths() === deaths && !(await shop.ask('struck'))) throw new NotReached(`The point was not reached: ${aim.point}.`);
  const points = await shop.ask('points');
  const { status, body } = await told.repeat();
  if (status !== told.status || nameOf(body) !== told.id) throw new Error(`A repeat answered ${status} ${nameOf(body)} after ${told.status} ${told.id}.`);
  await assertOnce(shop, { email, ends, told });
  return points;
}

export class NotReached extends Error {}

/** One order that counts, as it was told and as the provider's own books have it. */
async function assertOnce(shop: CrashShop, { email, ends, told }: { email: string; ends: string; told: Told }): Promise<void> {
  const { rows } = await shop.admin.query<{ id: string; state: string; refusal: unknown; kept: string }>(
    `select o.id, o.state, o.refusal, coalesce((
       select sum(c.amount) - coalesce(sum((select sum(p.amount) from payment.sandbox_operations p where p.charge = c.reference and p.kind in ('void', 'refund') and p.outcome = 'succeeded')), 0)
       from payment.sandbox_charges c join payment.payments y on y.id = c.payment_id where y.order_id = o.id and c.verdict = 'approved'), 0) as kept
     from "order".orders o where o.email = $1 order by o.created_at`,
    [email],
  );
  const undone = rows.filter(({ id }) => id !== told.id);
  const last = ends === 'refused' ? rows.at(-1) : rows.find(({ id }) => id === told.id);
  const problems = [
    last?.state !== ends && `The order was told with ${told.status} ${told.id} and is ${last?.state} instead of ${ends}.`,
    ...undone.filter(({ id, state }) => state !== 'refused' && id !== last?.id).map(({ id, state }) => `There is another order, ${id}, which is ${state}.`),
    ...rows.map(({ id, state, kept }) => Number(kept) !== (state === 'placed' ? 72_000 : 0) && `The provider keeps ${kept} for order ${id}, which is ${state}.`),
    ends !== 'refused' && told.status !== 201 && `It was answered ${told.status} ${told.id}.`,
  ].filter(Boolean);
  if (problems.length > 0) throw new Error(problems.join('\n  '));
}
