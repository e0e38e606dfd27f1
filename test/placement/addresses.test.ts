import { beforeEach, describe, expect, it } from 'vitest';
import { createAddresses, HERE, type Place } from '../../src/placement/addresses.ts';
import { unavailable } from '../../src/shared/errors.ts';
import { createBreaker, DEFAULT_POLICY, LeftAlone, LostCall, RefusedCall } from '../../src/shared/seam/resilience.ts';

const [A, B, C] = ['http://a:3001', 'http://b:3001', 'http://c:3001'];
const gone = () => new LostCall('The call was lost (ECONNREFUSED).', false);

let hosts: string[];
let failing: Map<Place, Error>;
let asked: Place[];
let looks: number;
/** what is found out by the next look */
let news: () => void;
let finding: () => Promise<void>;
beforeEach(() => {
  [hosts, failing, asked, looks, news, finding] = [[A, B], new Map(), [], 0, () => undefined, async () => undefined];
});

const known = ({ here = [], url, tls = false }: { here?: string[]; url?: string; tls?: boolean } = {}) =>
  createAddresses({
    placement: { hosts: here, addresses: url ? { coupon: url } : {}, edge: true, ...(tls && { tls: { cert: '', key: '', ca: '' } }) },
    hosts: () => hosts,
    look: async () => {
      looks += 1;
      news();
      await finding();
    },
  });
const call = async (place: Place) => {
  asked.push(place);
  const error = failing.get(place);
  if (error) throw error;
  return 'answered';
};

describe('a module without an address', () => {
  it('is asked for where somebody shows himself with it, by one process always the same', async () => {
    const { reach, of } = known();
    await reach('coupon', call);
    hosts = [B, A];
    await reach('coupon', call);
    expect([asked, of('coupon')]).toEqual([[A, B], B]);
    failing.set(B, gone());
    await reach('coupon', call);
    hosts = [B, A, C];
    failing.clear();
    await reach('coupon', call);
    expect(asked).toEqual([A, B, B, A, A]);
  });

  it.each([
    ['is gone', gone()],
    ['has no such module', new RefusedCall('unknown_module')],
    ['is left alone, because it does not answer', new LeftAlone()],
  ])('is asked for elsewhere when the one who had it %s', async (_what, error) => {
    failing.set(A, error);
    expect(await known().reach('coupon', call)).toBe('answered');
    expect(asked).toEqual([A, B]);
  });

  it('is asked for by everybody who has it once, and then the caller hears of it', async () => {
    failing = new Map([A, B].map((place) => [place, gone()]));
    await expect(known().reach('coupon', call)).rejects.toThrow(LostCall);
    expect(asked).toEqual([A, B]);
  });

  it('that nobody has is looked for at each call', async () => {
    hosts = [];
    const { reach } = known();
    failing.set(undefined, gone());
    await expect(reach('coupon', call)).rejects.toThrow(LostCall);
    news = () => void (hosts = [C]);
    expect(await reach('coupon', call)).toBe('answered');
    expect(asked).toEqual([undefined, undefined, C]);
  });

  it('is not asked for over http where processes show each other certificates', () => {
    hosts = [A, 'https://d:3001'];
    expect(known({ tls: true }).of('coupon')).toBe('https://d:3001');
  });
});

describe('while it cannot be found out where modules are', () => {
  const never = () => new Promise<void>(() => undefined);

  it('a call waits for it shortly, and meets no more than its own error', async () => {
    failing = new Map([A, B].map((place) => [place, gone()]));
    finding = never;
    await expect(known().reach('coupon', call)).rejects.toThrow(LostCall);
    expect(asked).toEqual([A, B]);
  });

  it('who is left alone is looked for once in each pause', async () => {
    let now = 0;
    const breaker = createBreaker({ ...DEFAULT_POLICY, failures: 1 }, () => now);
    const { reach } = known({ url: A });
    const attempt = () => reach('coupon', async () => breaker.assertClosed()).catch((error: unknown) => error);
    hosts = [];
    breaker.failed(now);
    for (let call = 1; call <= 3; call += 1) expect(await attempt()).toBeInstanceOf(LeftAlone);
    expect(looks).toBe(1);
    now = 1_000;
    expect(await attempt()).toBeUndefined();
    breaker.failed(now);
    for (let call = 1; call <= 3; call += 1) expect(await attempt()).toBeInstanceOf(LeftAlone);
    expect(looks).toBe(2);
  });
});

describe('a module with an address', () => {
  it('is asked for there first, and elsewhere while nobody is there', async () => {
    const { reach, of } = known({ url: C });
    expect(of('coupon')).toBe(C);
    failing.set(C, gone());
    await reach('coupon', call);
    expect(asked).toEqual([C, A]);
  });
});

describe('a module that moves', () => {
  it('is followed by a call that finds nobody where it was, to another process or to this one', async () => {
    const { reach, place } = known({ here: ['coupon'] });
    place('coupon', A);
    failing.set(A, gone());
    news = () => place('coupon', C);
    await reach('coupon', call);
    failing.set(C, new RefusedCall('unknown_module'));
    news = () => place('coupon', undefined);
    await reach('coupon', call);
    expect(asked).toEqual([A, C, C, HERE]);
  });

  it('is nowhere else, whoever else could answer', async () => {
    const { reach, place } = known({ here: ['coupon'] });
    place('coupon', C);
    failing.set(C, gone());
    await expect(reach('coupon', call)).rejects.toThrow(LostCall);
    expect(asked).toEqual([C]);
  });
});

describe('a call that may have had an effect', () => {
  it.each([
    ['lost', new LostCall('The call was lost (ECONNRESET).', true)],
    ['refused by the module', unavailable()],
    ['not understood', new RefusedCall('contract_violation')],
  ])('is made once when it is %s', async (_what, error) => {
    failing.set(A, error);
    await expect(known().reach('coupon', call)).rejects.toBe(error);
    expect([asked, looks]).toEqual([[A], 0]);
  });

  it('is not repeated here, for what the module itself has lost', async () => {
    failing.set(HERE, gone());
    await expect(known({ here: ['coupon'] }).reach('coupon', call)).rejects.toThrow(LostCall);
    expect([asked, looks]).toEqual([[HERE], 0]);
  });
});
