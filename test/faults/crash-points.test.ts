import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { modules } from '../../src/composition.ts';
import type { Case } from './crash/faults.ts';
import { FLOWS } from './crash/flows.ts';
import { stepOf } from './crash/table.ts';
import { ALWAYS_COMES, failuresOf, listOnce, nameOfCase, runCases, spread } from './crash-points.ts';

const SEED = 5;

let compiled: string;
let cases: Case[];
let steps: ReadonlySet<string>;
const place = () => ({ server: inject('adminUrl'), compiled, parallel: 2, signal: new AbortController().signal });
beforeAll(async () => {
  compiled = await mkdtemp(join(tmpdir(), 'kerf-compiled-'));
  cases = await listOnce(Object.keys(FLOWS), place());
  steps = new Set(cases.map(({ point }) => stepOf(point.name)));
}, 240_000);
afterAll(() => rm(compiled, { recursive: true, force: true }));

it('a flow that is interrupted ends whole or undone, once, and answers the same', { timeout: 240_000 }, async () => {
  const tried = Object.keys(FLOWS).flatMap((flow) => spread(cases.filter((one) => one.flow === flow && ALWAYS_COMES.test(one.point.name)), SEED).slice(0, 1));
  const outcomes = await runCases(tried, place());
  expect(outcomes.size).toBe(tried.length);
  expect([...failuresOf(outcomes)].map(([one, failure]) => `${nameOfCase(one)}: ${failure}`)).toEqual([]);
});

describe('the points at which a flow can be interrupted', () => {
  it.each([
    ['takes the key, the cart and the order', 'POST /v1/orders › commit of order'],
    ['holds stock', 'POST /v1/orders › inventory.reserve'],
    ['commits the held stock', 'POST /v1/orders › commit of inventory'],
    ['reserves the coupon', 'POST /v1/orders › coupon.reserve'],
    ['commits the reserved coupon', 'POST /v1/orders › commit of coupon'],
    ['pays', 'POST /v1/orders › payment.pay'],
    ['asks the provider', 'POST /v1/orders › provider.authorize'],
    ['commits what the provider said', 'POST /v1/orders › commit of payment'],
    ['gives back what a declined order held', 'POST /v1/orders › coupon.release'],
    ['cancels', 'POST /v1/orders/{orderId}/cancel › commit of order'],
    ['keeps an answer', 'POST /v1/carts › write of edge'],
    ['believes a webhook', 'POST /v1/webhooks/payments/{provider} › payment.receiveWebhook'],
    ['expires', 'sweep order: expire unpaid orders › commit of order'],
  ])('are where it %s: %s', (_, step) => {
    expect(steps).toContain(step);
  });

  it('are where an event of an order or of its payment is handled, all of them', () => {
    const ofFlows = modules.flatMap(({ contract, listens }) => listens.filter(({ type }) => /^(order|payment)\./.test(type)).map(({ type }) => `${type} → ${contract.module}`));
    expect(ofFlows.filter((delivery) => !steps.has(delivery) && !NOT_WALKED.includes(delivery))).toEqual([]);
  });

  it('stand in docs/reliability.md, and no others', async () => {
    const document = await readFile(join(import.meta.dirname, '../../docs/reliability.md'), 'utf8');
    const places = document.split('<!-- /crash points -->')[0]!.split(/^\*\*(?=.*\*\*$)/m).slice(1).map((section) => section.split('**\n'));
    const documented = places.flatMap(([at, table]) => [...table!.matchAll(/^\| (?!step|---)(.+?) \|/gm)].map(([, step]) => (step === 'all of it' ? at! : `${at} › ${step}`)));
    const thatAlwaysCome = (some: Iterable<string>) => [...some].filter((step) => ALWAYS_COMES.test(step)).toSorted();
    expect(thatAlwaysCome(steps), 'run npm run test:faults -- crash-points').toEqual(thatAlwaysCome(documented));
  });
});

/** Comes by no flow that is walked here. */
const NOT_WALKED = ['payment.authorized → order', 'payment.action_required → order'];
