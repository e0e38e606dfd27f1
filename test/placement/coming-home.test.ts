import { expect, it } from 'vitest';
import { userContract } from '../../src/modules/user/contract.ts';
import { openBeside } from '../faults/chaos.ts';
import { openTestDatabase } from '../support/database.ts';

it('prepares a module that comes home to a process that knew it elsewhere, and a call waits for that', async () => {
  const { database, admin, close } = await openTestDatabase();
  const kerf = openBeside(database.adminUrl);
  await kerf.place('user', { held: false, address: 'http://127.0.0.1:9' });
  await kerf.prepare();
  expect((await admin.query('select from "user".signing_keys')).rowCount).toBe(0);
  const comesHome = kerf.place('user', { held: false });
  expect((await kerf.service(userContract).listSigningKeys({})).keys.length).toBe(2);
  await comesHome;
  await kerf.stop();
  await close();
});
