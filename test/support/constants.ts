export const TEMPLATE = 'kerf_template';
export const TEST_SECRET = 'a secret that only the tests know, and everybody reads';
export const SCHEMAS = ['user', 'catalog', 'inventory', 'order', 'payment', 'coupon', 'edge'];
