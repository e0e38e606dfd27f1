import { describe, expect, it } from 'vitest';
import { joined, streamOf } from '../../src/verify/ordered-streams.ts';
import { formatReport } from '../../src/verify/report.ts';

/** A module that answers these orders, `size` on a page. */
const answering = (orders: string[], size = 2) => async ({ from }: { from: string | null }) => {
  const rest = orders.slice(from === null ? 0 : orders.indexOf(from));
  return { items: rest.slice(0, size).map((orderId) => ({ orderId })), next: rest[size] ?? null };
};
const all = async <T>(stream: AsyncIterable<T>): Promise<T[]> => {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
};

describe('streams of facts', () => {
  it('are joined by order, whoever knows of it', async () => {
    const [one, other, none] = [streamOf('one', answering(['a', 'c', 'd', 'e', 'f'])), streamOf('other', answering(['b', 'c', 'f', 'g'])), streamOf('none', answering([]))];
    expect((await all(joined({ one, other, none }))).map(({ orderId, ...known }) => [orderId, ...Object.keys(known)].join(' '))).toEqual([
      'a one', 'b other', 'c one other', 'd one', 'e one', 'f one other', 'g other',
    ]);
  });

  it('are refused when they are not in order, or answer the same page again', async () => {
    await expect(all(streamOf('coupon', answering(['b', 'a'])))).rejects.toThrow('The module coupon does not answer its audit in order of orderId: a came after b.');
    await expect(all(streamOf('coupon', async () => ({ items: [{ orderId: 'a' }], next: 'a' })))).rejects.toThrow('The module coupon answers the same page of its audit again');
  });

  it('end with what a module throws, also when it was asked ahead', async () => {
    const failing = async ({ from }: { from: string | null }) => {
      if (from !== null) throw new Error('gone');
      return { items: [{ orderId: 'a' }], next: 'b' };
    };
    await expect(all(joined({ one: streamOf('one', failing), other: streamOf('other', failing) }))).rejects.toThrow('gone');
  });
});

const depth = (more: object) => ({ module: 'order', waiting: 0, retrying: 0, dead: 0, oldestSeconds: 0, ...more });

describe('the report', () => {
  const finding = { invariant: 'stock' as const, looked: true, violations: 0, settling: 0, told: [] };

  it('is a line for each invariant', () => {
    const text = formatReport({ holds: true, orders: 1_000, unconfirmed: 0, findings: [{ ...finding, settling: 2 }], events: [depth({ waiting: 1, dead: 2 })], eventsNotLooked: ['coupon'], ownerNotLooked: [], kept: null });
    expect(text.split('\n')).toEqual([
      'stock    holds          what is on hand, held and sold is what the ledger and the orders say (2 settling)',
      '',
      '1 deliveries of events are on their way.',
      '2 deliveries failed for good: kerf events list --state dead.',
      'Events of coupon were not looked at: the database is not known here.',
      '1,000 orders were looked at.',
    ]);
  });

  it('says of a line that it was not looked at, and what was read back of what clients were told', () => {
    const text = (kept: { looked: number; answers: number } | null) => formatReport({ holds: true, orders: 1, unconfirmed: 0, findings: [{ ...finding, invariant: 'kept', looked: kept !== null }], events: [], eventsNotLooked: [], ownerNotLooked: [], kept });
    expect(text(null)).toMatch(/^kept {5}not looked at {2}/);
    expect(text({ looked: 2, answers: 3 })).toMatch(/^kept {5}holds /);
    expect(text({ looked: 2, answers: 3 })).toContain('2 of 3 answers under an Idempotency-Key of the last 24 h were read back, of these operations: createProduct, ');
  });

  it('tells twenty violations of a kind, and how many more there are', () => {
    const told = Array.from({ length: 30 }, (_, index) => ({ invariant: 'stock' as const, orderId: null, message: `Sentence ${index}.` }));
    const lines = formatReport({ holds: false, orders: 1, unconfirmed: 7, findings: [{ ...finding, violations: 1_030, told }], events: [], eventsNotLooked: [], ownerNotLooked: [], kept: null }).split('\n');
    expect(lines[0]).toMatch(/^stock {4}1,030 violations /);
    expect(lines.filter((line) => line.startsWith('  Sentence'))).toHaveLength(20);
    expect(lines).toContain('  … and 1,010 more');
    expect(lines).toContain('7 more orders did not add up at first sight and were not looked at again.');
  });
});
