import type { AuditRange } from '../shared/audit.ts';

interface Page<T> {
  items: T[];
  next: string | null;
}
type Read<T> = (range: AuditRange) => Promise<Page<T>>;

const PAGE = 500;

/** What `read` answers, page after page; the next one is asked for while this one is worked on. */
export async function* streamOf<T extends { orderId: string }>(module: string, read: Read<T>): AsyncGenerator<T> {
  let last = '';
  for (let page: Promise<Page<T>> | undefined = read({ from: null, limit: PAGE }); page; ) {
    const { items, next }: Page<T> = await page;
    page = next === null ? undefined : read({ from: next, limit: PAGE });
    // Whoever stops reading for another stream's failure never comes back for this page's.
    page?.catch(() => undefined);
    for (const item of items) {
      if (item.orderId <= last) throw new Error(`The module ${module} does not answer its audit in order of orderId: ${item.orderId} came after ${last}.`);
      last = item.orderId;
      yield item;
    }
    if (next !== null && next <= last) throw new Error(`The module ${module} answers the same page of its audit again: ${next} is to come after ${last}.`);
  }
}

/** Joins streams that each come in order of `orderId`: one entry per order that any of them names. */
export async function* joined<Streams extends Record<string, { orderId: string }>>(
  streams: { [Name in keyof Streams]: AsyncGenerator<Streams[Name]> },
): AsyncGenerator<{ orderId: string } & Partial<Streams>> {
  const names = Object.keys(streams) as (keyof Streams)[];
  const take = async (name: keyof Streams) => (await streams[name].next()).value as Streams[keyof Streams] | undefined;
  const heads = new Map(await Promise.all(names.map(async (name) => [name, await take(name)] as const)));
  for (;;) {
    const orderId = [...heads.values()].flatMap((head) => head?.orderId ?? []).reduce((one, other) => (other < one ? other : one), NONE);
    if (orderId === NONE) return;
    const own = names.filter((name) => heads.get(name)?.orderId === orderId);
    yield { orderId, ...Object.fromEntries(own.map((name) => [name, heads.get(name)])) } as { orderId: string } & Partial<Streams>;
    for (const name of own) heads.set(name, await take(name));
  }
}

/** Sorts after every id. */
const NONE = '~';
