import { SpanKind } from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { currentContext, timeLeft, traceId, withDeadline, withTrace } from '../../src/shared/context.ts';
import { conflict } from '../../src/shared/errors.ts';
import { inSpan } from '../../src/shared/spans.ts';
import { sweep } from '../../src/shared/sweep.ts';
import { createLogger } from '../../src/shared/telemetry.ts';
import { recordSpans, type SpanRecording } from '../support/spans.ts';

const given = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('a span', () => {
  let recording: SpanRecording;
  beforeEach(() => void (recording = recordSpans()));
  afterEach(() => recording.stop());

  it('stands below the one that the trace came with, and the flow goes on below it', async () => {
    await withTrace(given, () => inSpan('outer', { kind: SpanKind.SERVER }, () => inSpan('inner', {}, async () => undefined)));
    const [inner, outer] = recording.spans();
    expect(outer).toMatchObject({ name: 'outer', kind: 'SERVER', traceId: '0af7651916cd43dd8448eb211c80319c', parentId: 'b7ad6b7169203331' });
    expect(inner).toMatchObject({ name: 'inner', kind: 'INTERNAL', traceId: outer!.traceId, parentId: outer!.spanId });
  });

  it('begins a trace that nobody sent under the id that logs and answers show', async () => {
    const shown = await withTrace(undefined, async () => [traceId(), await inSpan('first', {}, async () => traceId())]);
    const [span] = recording.spans();
    expect(shown).toEqual([span!.traceId, span!.traceId]);
    expect(span!.parentId).toBeUndefined();
  });

  it('hands on the decision of the sender not to record', async () => {
    const within = await withTrace(given.replace(/01$/, '00'), () => inSpan('outer', {}, async () => currentContext()?.traceparent));
    expect(within).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-00$/);
    expect(recording.spans()).toEqual([]);
  });

  it('leaves the deadline as it is', async () => {
    expect(await withDeadline(60_000, () => inSpan('outer', {}, async () => timeLeft()))).toBeLessThanOrEqual(60_000);
  });

  it('is made for each turn of a sweep, in a trace of its own', async () => {
    const sweeping = withTrace(given, () => sweep('inventory', { name: 'lapsed holds', every: 0, run: async () => undefined }, createLogger('silent')));
    await expect.poll(() => recording.spans().length).toBeGreaterThan(1);
    await sweeping.stop();
    const [first, second] = recording.spans();
    expect(first).toMatchObject({ name: 'sweep inventory: lapsed holds', parentId: undefined });
    expect(new Set([given.split('-')[1], first!.traceId, second!.traceId]).size).toBe(3);
  });

  it('keeps the reason of a refusal, and nothing that it says', async () => {
    const refused = inSpan('outer', { attributes: { 'kerf.to': 'coupon' } }, async () => {
      throw conflict('coupon_exhausted', 'WELCOME10 is used up.', { code: 'WELCOME10' });
    });
    await expect(refused).rejects.toMatchObject({ reason: 'coupon_exhausted' });
    await expect(inSpan('other', {}, () => Promise.reject(new TypeError('x of mina@example.com')))).rejects.toThrow(TypeError);
    expect(recording.spans()).toMatchObject([
      { failed: true, attributes: { 'kerf.to': 'coupon', 'kerf.reason': 'coupon_exhausted' } },
      { failed: true, attributes: { 'kerf.reason': 'internal' } },
    ]);
  });
});

it('is not made where nobody keeps it: the flow runs as it is', async () => {
  expect(await withTrace(given, () => inSpan('outer', {}, async () => currentContext()?.traceparent))).toBe(given);
});
