/**
 * Every module, and whom it may call, synchronously. The one table: the boundary check enforces it, composition.ts gives a
 * module these callees and no others, a test shows that it has no cycle, the docs draw it. The way back is an event.
 */
export const calls: Readonly<Record<string, readonly string[]>> = {
  user: [],
  catalog: [],
  inventory: [],
  coupon: [],
  payment: [],
  order: ['user', 'catalog', 'inventory', 'coupon', 'payment'],
};

export const MODULES: readonly string[] = Object.keys(calls);
