import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MODULES } from '../../src/calls.ts';
import { newTraceparent } from '../../src/shared/context.ts';
import { newId } from '../../src/shared/ids.ts';
import { startTestKerf, type TestKerf } from '../support/kerf.ts';
import { looks, type RecordedSpan, recordSpans } from '../support/spans.ts';

const recording = recordSpans();
const [EMAIL, NAME, CODE] = ['canary.hanna@example.com', '한나 카나리', 'CANARYWORD'];
const address = { name: NAME, phone: '010-9182-7364', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '카나리로 110' };

/** One order and one that is refused, each in a trace that the client began. */
async function buy(shop: TestKerf) {
  const variantId = await shop.sell({ price: 60_000, stock: 1 });
  await shop.promote({ codes: [CODE] });
  const place = async (expectedTotal: number) => {
    const sent = newTraceparent();
    const body = { currency: 'KRW', lines: [{ variantId, quantity: 1 }], codes: [CODE], email: EMAIL, shippingAddress: address, payment: { provider: 'sandbox', token: 'sandbox_ok' }, expectedTotal };
    const answer = await request(shop.app).post('/v1/orders').set('idempotency-key', newId()).set('traceparent', sent).send(body);
    return { status: answer.status, body: answer.body as Record<string, string>, sent, spans: () => recording.spans().filter(({ traceId }) => sent.includes(traceId)) };
  };
  const placed = await place(54_000);
  await vi.waitFor(() => expect(placed.spans().filter(({ kind }) => kind === 'CONSUMER').map(({ attributes }) => attributes['kerf.to'])).toEqual(expect.arrayContaining(['inventory', 'coupon'])), 5_000);
  return { shop, placed, refused: await place(54_000) };
}

const ALL_APART = MODULES.map((name) => [name]);

describe('the trace of an order', () => {
  let [together, wire, apart]: Awaited<ReturnType<typeof buy>>[] = [];
  beforeAll(async () => {
    const shops = await Promise.all([startTestKerf(), startTestKerf({ forceWire: true }), startTestKerf({ apart: ALL_APART })]);
    [together, wire, apart] = await Promise.all(shops.map(buy));
  });
  afterAll(async () => {
    await Promise.all([together, wire, apart].map((bought) => bought?.shop.stop()));
    recording.stop();
  });

  it('is one tree, from the request over every call to the handlers of its events', () => {
    for (const { placed } of [together!, apart!]) {
      expect(placed.status).toBe(201);
      const byId = new Map(placed.spans().map((span) => [span.spanId, span]));
      const path = ({ name, kind, parentId }: RecordedSpan): string[] => [...(byId.has(parentId!) ? path(byId.get(parentId!)!) : [parentId!]), `${kind} ${name}`];
      const paths = placed.spans().map(path);
      const request = [placed.sent.split('-')[2], 'SERVER POST /v1/orders'];
      const placing = [...request, 'CLIENT order.placeOrder', 'SERVER order.placeOrder'];
      expect(paths.filter((steps) => steps[0] !== request[0])).toEqual([]);
      expect(paths).toContainEqual(request);
      expect(paths).toContainEqual([...placing, 'CLIENT inventory.reserve', 'SERVER inventory.reserve']);
      expect(paths).toContainEqual([...placing, 'PRODUCER order.placed', 'CONSUMER order.placed']);
    }
  });

  it('has the same spans wherever the modules are', async () => {
    for (const key of ['placed', 'refused'] as const) {
      const spans = (bought: typeof together) => bought![key].spans().map(looks).toSorted();
      await expect.poll(() => spans(wire)).toEqual(spans(together));
      await expect.poll(() => spans(apart)).toEqual(spans(together));
    }
  });

  it('says for what reason a call was refused, up to the request', () => {
    for (const { refused } of [together!, apart!]) {
      expect(refused.body).toMatchObject({ reason: 'out_of_stock' });
      const failed = refused.spans().filter((span) => span.failed);
      expect(failed.map(looks).toSorted()).toEqual([
        'CLIENT inventory.reserve {"kerf.from":"order","kerf.to":"inventory","kerf.reason":"out_of_stock"}',
        'CLIENT order.placeOrder {"kerf.from":"edge","kerf.to":"order","kerf.reason":"out_of_stock"}',
        'SERVER POST /v1/orders {"http.request.method":"POST","http.route":"/v1/orders","kerf.reason":"out_of_stock"}',
        'SERVER inventory.reserve {"kerf.to":"inventory","kerf.reason":"out_of_stock"}',
        'SERVER order.placeOrder {"kerf.to":"order","kerf.reason":"out_of_stock"}',
      ]);
    }
  });

  it('goes on in the jobs that a request leaves behind', async () => {
    const sent = newTraceparent();
    await request(together!.shop.app).post('/v1/auth/register').set('traceparent', sent).send({ email: EMAIL, password: 'a-long-quiet-walk', name: NAME }).expect(202);
    await expect.poll(() => recording.spans().find(({ name }) => name === 'job user: send-verification')).toMatchObject({ traceId: sent.split('-')[1], attributes: {} });
  });

  it('tells nothing of the shopper, the order or the addresses of processes', () => {
    const told = JSON.stringify(recording.spans().map(({ name, attributes }) => [name, attributes]));
    const { placed } = together!;
    for (const secret of [EMAIL, NAME, CODE, address.phone, 'sandbox_ok', placed.body['id'], placed.body['secret'], placed.body['number'], '127.0.0.1', 'localhost']) {
      expect(secret).toEqual(expect.any(String));
      expect(told).not.toContain(secret);
    }
  });

  it('stands beside metrics of each edge, and of those that leave the process', async () => {
    for (const { shop } of [together!, apart!]) {
      const page = await shop.kerf.metrics.registry.metrics();
      expect(page).toContain('kerf_call_seconds_count{from="edge",to="order",method="placeOrder",outcome="ok"} 1');
      expect(page).toContain('kerf_call_seconds_count{from="edge",to="order",method="placeOrder",outcome="refused"} 1');
      expect(page.match(/^kerf_peer_\w+\{from="edge",to="order".*$/gm) ?? []).toEqual(
        shop === together!.shop ? [] : ['kerf_peer_state{from="edge",to="order",state="closed"} 1', 'kerf_peer_state{from="edge",to="order",state="open"} 0', 'kerf_peer_state{from="edge",to="order",state="half-open"} 0', 'kerf_peer_waiting{from="edge",to="order"} 0'],
      );
    }
    expect(await together!.shop.kerf.metrics.registry.metrics()).toContain('kerf_events_delivered_total{type="order.placed",from="order",to="coupon",outcome="ok"} 1');
  });
});
