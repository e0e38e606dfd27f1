import type { z } from 'zod';
import type { Users } from '../modules/user/contract.ts';
import type { Address } from '../shared/address.ts';
import { newId } from '../shared/ids.ts';
import { atOnce, countsOf, expectMatch, expectRefusal, expectSameAgain } from './expectation.ts';
import { enrol, type UserCases } from './user-people.ts';

const HOME: z.input<typeof Address> = { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' };
const OFFICE = { ...HOME, line1: '중구 을지로 1' };

const add = (users: Users, { userId }: { userId: string }, more: { id?: string; isDefault?: boolean } = {}) => users.addAddress({ userId, id: newId(), address: HOME, isDefault: false, ...more });
/** The ids in the order they are listed; the default one first. */
async function expectListed(users: Users, { userId }: { userId: string }, ids: string[]): Promise<void> {
  const { addresses } = await users.listAddresses({ userId });
  expectMatch(addresses.map(({ id, isDefault }) => ({ id, isDefault })), ids.map((id, index) => ({ id, isDefault: index === 0 })), 'The addresses, the default one first,');
}

export const addressCases: UserCases = {
  'addAddress: saves it once, however often it comes; the first one is the default': async ({ service: users }) => {
    const [person, id] = [await enrol(users), newId()];
    expectMatch(countsOf(await atOnce(10, () => add(users, person, { id }))), { done: 10 }, 'What came of ten');
    const saved = await expectSameAgain(() => add(users, person, { id }));
    expectMatch(saved, { id, address: { ...HOME, region: '', line2: '' }, isDefault: true });
    expectMatch(await users.addAddress({ ...person, id, address: OFFICE, isDefault: false }), saved, 'The answer to another address under the same id');
    await expectListed(users, person, [id]);
  },
  'addAddress: has one default, whichever of ten at once it is': async ({ service: users }) => {
    const person = await enrol(users);
    await atOnce(10, () => add(users, person, { isDefault: true }));
    const { addresses } = await users.listAddresses(person);
    expectMatch(addresses.map(({ isDefault }) => isDefault), [true, ...Array.from({ length: 9 }).fill(false)], 'Which of ten is the default');
  },
  'addAddress: refuses the fifty-first, and an account that is not there': async ({ service: users }) => {
    const person = await enrol(users);
    expectMatch(countsOf(await atOnce(52, () => add(users, person))), { done: 50, too_many_addresses: 2 }, 'What came of fifty-two');
    await expectRefusal(add(users, { userId: newId() }), 'not_found');
  },
  'updateAddress: replaces it; one that becomes the default takes over, and none stops being it by itself': async ({ service: users }) => {
    const person = await enrol(users);
    const [first, second] = [await add(users, person), await add(users, person)];
    const update = ({ id, version }: typeof first, isDefault: boolean) => users.updateAddress({ ...person, id, version, address: OFFICE, isDefault });
    const taken = await update(second, true);
    expectMatch(taken, { id: second.id, address: OFFICE, isDefault: true });
    await expectListed(users, person, [second.id, first.id]);
    expectMatch(await update(taken, false), { isDefault: true });
    await expectRefusal(update(second, false), 'version_mismatch');
    await expectRefusal(update({ ...second, id: newId() }, false), 'not_found');
  },
  'updateAddress: lets one of ten changes of the same version through': async ({ service: users }) => {
    const person = await enrol(users);
    const { id, version } = await add(users, person);
    expectMatch(countsOf(await atOnce(10, () => users.updateAddress({ ...person, id, version, address: OFFICE, isDefault: true }))), { done: 1, version_mismatch: 9 }, 'What came of ten');
  },
  'deleteAddress: hands the default on to the one that was added last': async ({ service: users }) => {
    const person = await enrol(users);
    const [first, second, third] = [await add(users, person), await add(users, person), await add(users, person)];
    const outcomes = countsOf(await atOnce(10, () => users.deleteAddress({ ...person, id: first.id })));
    expectMatch(Object.keys(outcomes).filter((reason) => !['done', 'not_found'].includes(reason)), [], 'What else came of ten');
    await expectListed(users, person, [third.id, second.id]);
  },
  'an address of somebody else is not_found': async ({ service: users }) => {
    const [owner, stranger] = [await enrol(users), await enrol(users)];
    const { id, version } = await add(users, owner);
    await expectRefusal(users.updateAddress({ ...stranger, id, version, address: OFFICE, isDefault: true }), 'not_found');
    await expectRefusal(users.deleteAddress({ ...stranger, id }), 'not_found');
    await expectListed(users, owner, [id]);
    expectMatch(await users.listAddresses(stranger), { addresses: [] });
  },
};
