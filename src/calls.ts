/**
 * Who may call whom, synchronously. The one table: the boundary check enforces it, a test shows that it has no cycle,
 * the docs print it. Whoever is not named here calls nobody: the way back is an event.
 */
export const calls: Readonly<Record<string, readonly string[]>> = {
  order: ['user', 'catalog', 'inventory', 'coupon', 'payment'],
};
