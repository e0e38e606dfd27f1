import { randomUUID } from 'node:crypto';
import { answeredOn, type Answered, askedOn, type Break, json, keepsFirst, less, nothingHappens, reasonInstead } from './broken.ts';

type Breaks = Record<string, [string, Break][]>;

/** Takes each repeat for something new. */
const forgets = (path: string, ...ids: string[]): Break => askedOn(path, (body: object) => ({ ...body, ...Object.fromEntries(ids.map((id) => [id, randomUUID()])) }));
/** Takes everybody for staff. */
const staffOn = (path: string): Break => askedOn(path, (body: object) => ({ ...body, viewer: { kind: 'staff', userId: randomUUID() } }));

export const PAYMENT_BREAKS: Breaks = {
  'pay: takes the whole sum once, however often it comes': [
    ['it charges anew each time', forgets('/pay', 'orderId')],
    ['it takes more than it says', answeredOn('/getDetails', (body: { events: { amount: number }[] }) => ({ ...body, events: body.events.map((one) => ({ ...one, amount: one.amount + 1 })) }))],
  ],
  'pay: is payment_mismatch on other terms for the same order': [['it keeps to the first terms and says nothing', keepsFirst('/pay')]],
  'pay: answers a refusal by the provider, which is final': [['it tries again with another token', payAnewAfterDecline()]],
  'pay: whose answer is lost is processing, never declined; it took effect once': [['it takes a lost answer for a refusal', { answered: ({ body }) => ({ body: body.replace('"state":"processing"', '"state":"declined"') }) }]],
  'a step of the shopper: is decided once: the first decision counts': [
    ['each decision counts', { answered: (_, { path, body }) => (path === '/completeSandboxAction' ? { body: JSON.stringify({ approved: (JSON.parse(body) as { approve: boolean }).approve }) } : {}) }],
  ],
  'capture and refund: capture: takes what is held in parts, each once, and no more': [['it forgets which capture it was', forgets('/capture', 'captureId')]],
  'capture and refund: refund: gives back in parts, each once, and no more': [
    ['it forgets which refund it was', forgets('/refund', 'refundId')],
    ['it does not say how much is left', answeredOn('/refund', less('details'))],
  ],
  'capture and refund: refund: many at once give back no more than was taken': [['it took more than it was asked for', askedOn('/pay', (body: { amount: { amount: number } }) => ({ ...body, amount: { ...body.amount, amount: body.amount.amount + 2_000 } }))]],
  'cancel: gives a sum that was taken back in full, once': [['it keeps the money', nothingHappens('/cancel')]],
  'cancel: before there is a payment: one that comes later is not charged': [['it forgets what was cancelled before it was paid', nothingHappens('/cancel')]],
  'events: order.cancelled before the payment: it is not charged': [['it does not listen to order.cancelled', nothingHappens('/-/events', 'order.cancelled')]],
  'events: order.expired undoes the payment once, however often it comes': [['it does not listen to order.expired', nothingHappens('/-/events', 'order.expired')]],
  'receiveWebhook: is refused unless a provider that is there has signed it': [['it believes everybody', nothingHappens('/receiveWebhook')]],
};

export const CATALOG_BREAKS: Breaks = {
  'products: createProduct: answers a draft, with what nobody said filled in': [['drafts are for everybody', askedOn('/getProduct', (body: object) => ({ ...body, states: ['draft', 'published', 'archived'] }))]],
  'products: createProduct: answers the first one to a repeat, also with another draft and ten at once': [
    ['it makes another one each time', askedOn('/createProduct', ({ draft }: { draft: object }) => ({ id: randomUUID(), draft: { ...draft, slug: randomUUID() } }))],
  ],
  'products: updateProduct: lets one of ten changes of the same version through': [['the last one wins', winsLast('/updateProduct')]],
  'setProductState: takes an archived product from the shoppers, and back; a draft it becomes no more': [['archived products are for everybody', askedOn('/getProduct', (body: object) => ({ ...body, states: ['published', 'archived'] }))]],
  'variants: createVariant: adds it once, however often it comes': [['it makes another one each time', forgets('/createVariant', 'id')]],
  'priceVariants: answers in the order asked for, and says what cannot be bought': [
    ['it answers in an order of its own', answeredOn('/priceVariants', ({ variants }: { variants: unknown[] }) => ({ variants: variants.toReversed() }))],
    ['it sells drafts', { answered: ({ body }) => ({ body: body.replace('"not_published"', 'null') }) }],
  ],
  'listProducts: gives every product of a category and those below it once, page by page, in each order': [
    ['every page is the first', askedOn('/listProducts', less('cursor'))],
    ['it knows one order only', askedOn('/listProducts', less('sort'))],
    ['a category is its own products only', noneBelow()],
  ],
  'listProducts: finds by words, whatever their spacing and particles, and by initial consonants': [['it finds everything', askedOn('/listProducts', less('search'))]],
  'events: inventory.availability_changed is what it shows as available; an older one changes nothing': [['what comes last counts', comesLater()]],
  'importProducts: tells in a dry run what it would do, and does nothing': [['a dry run is none', askedOn('/importProducts', (body: object) => ({ ...body, dryRun: false }))]],
  'importProducts: writes nothing when one row is wrong, and names line and reason': [['it writes the good rows', askedOn('/importProducts', ({ rows, ...more }: { rows: unknown[] }) => ({ ...more, rows: rows.slice(0, 1) }))]],
};

const BELIEVES_ALL: [string, Break] = ['it believes every session', { instead: ({ path }) => (path === '/checkSession' ? json(200, { role: 'customer' }) : undefined) }];

export const USER_BREAKS: Breaks = {
  'unknown things: the keys it publishes are public, each with an id of its own': [['it publishes a private key', answeredOn('/listSigningKeys', ({ keys = [] }: { keys?: object[] }) => ({ keys: keys.map((key) => ({ ...key, d: 'secret' })) }))]],
  'becoming somebody: ensureUser: makes a verified account once; a known address stays as it is': [['it makes another one each time', askedOn('/ensureUser', (body: object) => ({ ...body, email: `${randomUUID()}@example.com` }))]],
  'becoming somebody: register: answers the same to a repeat and to ten at once, and lets nobody in before the address is proven': [
    ['nobody has to prove an address', { asked: ({ path, body }) => (path === '/register' ? { path: '/ensureUser', body: JSON.stringify({ ...(JSON.parse(body) as object), role: 'customer' }) } : {}) }],
  ],
  'sessions: login: says the same of a wrong password and of an address that nobody has': [['it tells who has an account', tellsWhoIsThere()]],
  'sessions: refresh: a used token from another device ends the whole family': [['every device will do', askedOn('/refresh', (body: object) => ({ ...body, device: 'kit' }))]],
  'sessions: logout: ends this session and no other': [['it goes on', nothingHappens('/logout')], BELIEVES_ALL],
  'sessions: logoutEverywhere: ends every session': [['they go on', nothingHappens('/logoutEverywhere')]],
  'sessions: changePassword: ends every other session and answers a new one': [BELIEVES_ALL],
  'accounts: setRole: counts from the next request on; sessions that know the old role have ended': [BELIEVES_ALL],
  'addresses: addAddress: saves it once, however often it comes; the first one is the default': [['it saves another one each time', forgets('/addAddress', 'id')]],
  'addresses: an address of somebody else is not_found': [['it asks for the id only', asksForNoOwner()]],
};

export const ORDER_BREAKS: Breaks = {
  'unknown things: a cart or an order that is not there is not_found, whoever asks': [['its reason is another', reasonInstead('not_found', 'order_not_found')]],
  'createCart: answers a customer the active cart there is, also to ten at once': [['every cart is a guest\'s', askedOn('/createCart', (body: object) => ({ ...body, viewer: { kind: 'guest' } }))]],
  'createCart: of somebody else is not_found, by its id or to be begun': [['the id opens every cart', staffOn('/getCart')], ['the id is enough to change a cart', staffOn('/setEmail')]],
  'changes of a cart: lets one of ten changes of the same version through': [['it ignores versions', askedOn('/setEmail', less('version'))]],
  'changes of a cart: setEmail: is kept once, and never told again': [['it does not keep it', answeredOn('/setEmail', (body: object) => ({ ...body, hasEmail: false }))], ['it tells the address', tellsTheAddress()]],
  'mergeCart: gives the cart to a customer who has none, once': [['anybody may look into it', staffOn('/getCart')]],
  'mergeCart: puts it into the cart a customer has; it takes no more changes': [['the guest\'s cart goes on', { answered: ({ body }) => ({ body: body.replace('"state":"merged"', '"state":"active"') }) }]],
  'events: user.logged_in merges the cart in hand, once however often it comes': [['it does not listen to user.logged_in', nothingHappens('/-/events', 'user.logged_in')]],
  'placeOrder: of an empty cart is cart_empty, also again and ten times at once, and leaves the cart as it is': [['its reason is another', reasonInstead('cart_empty', 'total_changed')]],
  'placeOrder: of a cart that is not there, or somebody else\'s, is not_found': [['anybody may order it', staffOn('/placeOrder')]],
};

/** A declined order that comes with another token is taken for another order. */
function payAnewAfterDecline(): Break {
  return askedOn('/pay', (body: { token: string }) => (body.token === 'sandbox_ok' ? { ...body, orderId: randomUUID() } : body));
}

/** Who is refused because somebody was faster is told that all went well. */
function winsLast(path: string): Break {
  let last: Answered | undefined;
  return {
    answered(answer, asked) {
      if (asked.path !== path) return {};
      if (answer.status === 200) last = answer;
      return answer.status === 409 && last ? last : {};
    },
  };
}

/** Leaves out what stands in another category than the one asked for. */
function noneBelow(): Break {
  return {
    answered({ body, status }, asked) {
      if (asked.path !== '/listProducts' || status !== 200) return {};
      const { category } = JSON.parse(asked.body) as { category?: string };
      const page = JSON.parse(body) as { items: { category: { slug: string } | null }[] };
      return { body: JSON.stringify({ ...page, items: page.items.filter((item) => item.category?.slug === category) }) };
    },
  };
}

/** Takes each event for newer than the last one. */
function comesLater(): Break {
  let version = 100;
  return askedOn('/-/events', (body: { data: object }) => ({ ...body, data: { ...body.data, version: (version += 1) } }));
}

/** Says of an address that nobody has that nobody has it. */
function tellsWhoIsThere(): Break {
  const there = new Set<string>();
  return {
    asked({ path, body }) {
      if (path === '/ensureUser') there.add((JSON.parse(body) as { email: string }).email);
      return {};
    },
    answered({ status, body }, asked) {
      if (asked.path !== '/login' || status !== 401 || there.has((JSON.parse(asked.body) as { email: string }).email)) return {};
      return { body: JSON.stringify({ ...(JSON.parse(body) as object), message: 'Nobody has this address.' }) };
    },
  };
}

/** Takes whoever asks for an address for the one who saved it. */
function asksForNoOwner(): Break {
  const owners = new Map<string, string>();
  return {
    asked({ path, body }) {
      if (!path.endsWith('Address')) return {};
      const asked = JSON.parse(body) as { id: string; userId: string };
      if (path === '/addAddress') owners.set(asked.id, asked.userId);
      return { body: JSON.stringify({ ...asked, userId: owners.get(asked.id) ?? asked.userId }) };
    },
  };
}

/** Answers a cart with what its guest has said. */
function tellsTheAddress(): Break {
  let email = '';
  return {
    asked({ path, body }) {
      if (path === '/setEmail') ({ email } = JSON.parse(body) as { email: string });
      return {};
    },
    answered: ({ body }, { path }) => (path === '/getCart' ? { body: JSON.stringify({ ...(JSON.parse(body) as object), email }) } : {}),
  };
}
