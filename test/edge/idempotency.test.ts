import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createIdempotencyStore, type Run } from '../../src/edge/idempotency.ts';
import { newId } from '../../src/shared/ids.ts';
import { createTestContext, type TestContext } from '../support/module-context.ts';

let context: TestContext;
let store: ReturnType<typeof createIdempotencyStore>;
beforeAll(async () => {
  context = await createTestContext('edge');
  store = createIdempotencyStore(context.db, context.now);
});
afterAll(() => context.close());

const claim = () => ({ scope: 'guest', key: newId(), fingerprint: 'a request' });
const pass = (seconds: number) => void (context.clock.now = new Date(context.clock.now.getTime() + seconds * 1_000));
const answer = { status: 201, body: '{"made":true}', headers: { 'content-type': 'application/json' } };
const leaseOf = (id: string) => context.db('idempotency_records').where({ id }).first('lease_until').then((record) => record.lease_until as Date);
const runOf = async (begun: ReturnType<typeof store.begin>) => (await begun) as Run;

describe('a record of an Idempotency-Key', () => {
  it('is taken over, as the same operation, when its run died', async () => {
    const mine = claim();
    const { operationId } = await runOf(store.begin(mine));
    await expect(store.begin(mine)).rejects.toMatchObject({ reason: 'idempotency_key_in_use' });
    pass(16);
    await expect(store.begin({ ...mine, fingerprint: 'another request' })).rejects.toMatchObject({ reason: 'idempotency_key_reused' });
    const next = await runOf(store.begin(mine));
    expect(next.operationId).toBe(operationId);
    expect(await store.finish(next, answer, 'makeThing')).toEqual(answer);
    expect(await store.begin(mine)).toEqual({ answer });
  });

  it('is of the run that took it over alone: the one before, if it lives after all, answers what is kept', async () => {
    const [mine, late] = [claim(), { ...answer, status: 500 }];
    const frozen = await runOf(store.begin(mine));
    pass(16);
    const next = await runOf(store.begin(mine));
    await store.abandon(frozen);
    await expect(store.begin(mine)).rejects.toMatchObject({ reason: 'idempotency_key_in_use' });
    expect(await store.finish(frozen, late, 'makeThing')).toEqual(late);
    await store.finish(next, answer, 'makeThing');
    expect(await store.finish(frozen, late, 'makeThing')).toEqual(answer);
    expect(await store.begin(mine)).toEqual({ answer });
  });

  it('is finished by a run that was late, when nobody took over', async () => {
    const mine = claim();
    const late = await runOf(store.begin(mine));
    pass(16);
    await store.finish(late, answer, 'makeThing');
    expect(await store.begin(mine)).toEqual({ answer });
  });

  it('goes to exactly one of those who would take it over at once', async () => {
    const mine = claim();
    await store.begin(mine);
    pass(16);
    const tries = await Promise.allSettled(Array.from({ length: 8 }, () => store.begin(mine)));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('is not taken over while its run lives, however long that takes', async () => {
    const mine = claim();
    const run = await runOf(store.begin(mine));
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const work = Promise.withResolvers<void>();
    const running = store.hold(run, () => work.promise);
    for (const renewal of [1, 2, 3, 4]) {
      pass(10);
      vi.advanceTimersByTime(5_000);
      await expect.poll(() => leaseOf(run.operationId), { message: `renewal ${renewal}` }).toEqual(new Date(context.now().getTime() + 15_000));
      await expect(store.begin(mine)).rejects.toMatchObject({ reason: 'idempotency_key_in_use' });
    }
    work.resolve();
    await running;
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it('ends after a day: the key begins something new', async () => {
    const mine = claim();
    const run = await runOf(store.begin(mine));
    await store.finish(run, answer, 'makeThing');
    pass(24 * 3_600 - 1);
    expect(await store.begin(mine)).toEqual({ answer });
    pass(2);
    expect((await runOf(store.begin(mine))).operationId).not.toBe(run.operationId);
  });

  it('is tidied away after that, and nothing younger is', async () => {
    const [old, young] = [claim(), claim()];
    await store.begin(old);
    pass(24 * 3_600 + 1);
    await store.begin(young);
    await store.tidy();
    expect(await context.db('idempotency_records').whereIn('key', [old.key, young.key]).pluck('key')).toEqual([young.key]);
  });
});
