import { describe, expect, it } from 'vitest';
import { MODULES } from '../../src/calls.ts';
import { modules } from '../../src/composition.ts';
import { assertComplete, isOfOneMachine } from '../../src/placement/placement.ts';
import { topologyOf } from '../../src/placement/topology.ts';

const topology = topologyOf(modules);
const complete = (hosts: readonly string[], addresses: Record<string, string> = {}, edge = false) => () => assertComplete({ hosts, addresses, edge }, MODULES, topology);
const everywhere = (...names: string[]) => Object.fromEntries(names.map((name) => [name, `http://${name}:3001`]));

describe('a placement', () => {
  it('is complete when everything is here', () => expect(complete(MODULES, {}, true)).not.toThrow());

  it('is complete when whom a module calls, and who listens to it, can be found', () => {
    expect(complete(['order'], everywhere('user', 'catalog', 'inventory', 'coupon', 'payment'))).not.toThrow();
    expect(complete(['coupon'])).not.toThrow();
  });

  it.each([
    ['a module that is called', ['order'], everywhere('user', 'catalog', 'inventory', 'payment'), false, 'The module order calls the module coupon'],
    ['a module that listens', ['payment'], {}, false, 'The module payment sends events to the module order'],
    ['any module, behind the public API', ['order'], everywhere('user', 'catalog', 'inventory', 'payment'), true, 'The public API calls the module coupon'],
  ])('names %s that is nowhere', (_what, hosts, addresses, edge, sentence) => {
    expect(complete(hosts, addresses, edge)).toThrow(sentence);
    expect(complete(hosts, addresses, edge)).toThrow(/add it to KERF_MODULES, say where it answers with KERF_[A-Z]+_URL, or set DATABASE_URL/);
  });
});

describe('an address', () => {
  it.each(['http://127.0.0.1:3001', 'http://127.1.2.3:3001', 'https://localhost:3001', 'http://[::1]:3001', 'http://0.0.0.0:3001', 'http://[::]:3001', 'unix:/run/kerf.sock'])('%s leads nowhere from another machine', (address) =>
    expect(isOfOneMachine(address)).toBe(true));
  it.each(['http://10.0.0.3:3001', 'https://coupon.internal', 'http://[fd00::1]:3001', 'http://localhost.example:3001'])('%s leads there from everywhere', (address) => expect(isOfOneMachine(address)).toBe(false));
});

describe('the topology', () => {
  it('says who has to do with whom', () => {
    expect(topology.callees('order').map(({ module }) => module)).toEqual(['user', 'catalog', 'inventory', 'coupon', 'payment']);
    expect(topology.callers('coupon')).toEqual(['order']);
    expect(topology.listeners('order.placed').toSorted()).toEqual(['coupon', 'inventory']);
    expect(topology.publishers('order').toSorted()).toEqual(['payment', 'user']);
  });
});
