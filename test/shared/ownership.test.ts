import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { moduleUrl } from '../../src/setup/provision.ts';
import { findForeignWriters, type Place } from '../../src/shared/ownership.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { openTestDatabase } from '../support/database.ts';

type Opened = Awaited<ReturnType<typeof openTestDatabase>>;
let here: Opened;
let there: Opened;
beforeAll(async () => {
  [here, there] = await Promise.all([openTestDatabase(), openTestDatabase()]);
});
afterAll(() => Promise.all([here.close(), there.close()]));

const place = (name: string, { database }: Opened, more: Partial<URL> = {}): Place => ({
  name,
  url: (module) => moduleUrl(Object.assign(new URL(database.adminUrl), more).toString(), module, TEST_SECRET),
});
const twice = 'The data of coupon can be written in 2 places, here and there: take the rights of kerf_coupon away in all but the one where it lives.';
const find = (...places: Place[]) => findForeignWriters('coupon', places);

describe('the data of a module', () => {
  it('can be written in one place, by whatever addresses it is known', async () => {
    expect(await find(place('here', here), place('the same', here, { search: '?options=' }))).toEqual([]);
    expect(await find()).toEqual([]);
  });

  it('is seen to be writable in a second place, until the module may not write, connect, or find it there', async () => {
    const both = () => find(place('here', here), place('there', there));
    expect(await both()).toEqual([twice]);
    await there.admin.query('revoke insert, update, delete on all tables in schema coupon, coupon_jobs from kerf_coupon');
    expect(await both()).toEqual([]);
    await there.admin.query('grant update on coupon.promotions to kerf_coupon');
    expect(await both()).toEqual([twice]);
    const { rows: [named] } = await there.admin.query<{ name: string }>('select current_database() as name');
    await there.admin.query(`alter role kerf_coupon in database ${named!.name} set default_transaction_read_only = on`);
    expect(await both()).toEqual([]);
    await there.admin.query(`alter role kerf_coupon in database ${named!.name} reset default_transaction_read_only`);
    expect(await both()).toEqual([twice]);
    await there.admin.query(`revoke connect on database ${named!.name} from kerf_coupon`);
    expect(await both()).toEqual([]);
    expect(await find(place('here', here), place('nowhere', here, { pathname: '/not_there' }))).toEqual([]);
  });

  /** Roles belong to the server, which other tests share: one that nobody else knows, and rights in this database alone. */
  it.each(['kerf_order', 'reporting'])('is seen to be writable by %s too', async (role) => {
    const name = role === 'reporting' ? `reporting_${process.pid}` : role;
    if (name !== role) await here.admin.query(`create role ${name} login`);
    await here.admin.query(`grant usage on schema coupon to ${name}; grant insert on coupon.uses to ${name}`);
    const found = await find(place('here', here));
    await here.admin.query(`revoke usage on schema coupon from ${name}; revoke insert on coupon.uses from ${name}`);
    if (name !== role) await here.admin.query(`drop role ${name}`);
    expect(found).toEqual([`${name} may write the data of coupon in here: revoke it.`]);
    expect(await find(place('here', here))).toEqual([]);
  });

  it('cannot be looked at where a server does not answer', async () => {
    await expect(find(place('away', here, { hostname: '127.0.0.1', port: '9' }))).rejects.toThrow();
  });
});
