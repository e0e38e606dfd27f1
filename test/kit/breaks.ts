import { randomUUID } from 'node:crypto';
import type { Discount, Promotion } from '../../src/modules/coupon/contract.ts';
import { derivedKeys } from '../../src/shared/seam/service-token.ts';
import { tokenOf } from '../../src/kit/wire.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { type Answered, answeredOn, type Asked, askedOn, type Break, json, keepsFirst, less, nothingHappens, reasonInstead } from './broken.ts';

interface Token {
  header: { kid?: string; typ?: string; alg?: string };
  claims: { iss?: string; aud?: string; iat?: number; exp?: number };
}

const keys = derivedKeys(TEST_SECRET, []);
const goodFor = ({ path }: Asked, issuer = path === '/-/events' ? 'order' : 'edge') => `Bearer ${tokenOf({ issuer, audience: 'coupon' }, keys.privateKey(issuer))}`;

function tokenIn({ headers: { authorization = '' } }: Asked): Token | undefined {
  try {
    const [header, claims] = authorization.slice('Bearer '.length).split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as object);
    return { header: header!, claims: claims! };
  } catch {
    return undefined;
  }
}

/** Lets in whose token is of this kind: it is made good before it goes on. */
const letsIn = (kind: (token: Token | undefined, asked: Asked) => boolean): Break => ({
  asked: (asked) => (kind(tokenIn(asked), asked) ? { headers: { ...asked.headers, authorization: goodFor(asked) } } : {}),
});

const now = () => Date.now() / 1_000;
const without = (...headers: string[]): Break => ({ asked: (asked) => ({ headers: less(...headers)(asked.headers) }) });
const neverThere = (path: string): Break => ({ instead: (asked) => (asked.path === path ? json(503, { code: 'unavailable', reason: 'unavailable', message: 'Later.' }) : undefined) });

/** Takes a draft as if it had not said this. */
const forgets = (...fields: string[]): Break =>
  askedOn('/createPromotion', ({ id, draft }: { id: string; draft: object }) => ({ id, draft: less(...fields)(draft) }));
const forgetsOfBenefit = (field: string): Break =>
  askedOn('/createPromotion', ({ id, draft }: { id: string; draft: { benefit: object } }) => ({ id, draft: { ...draft, benefit: less(field)(draft.benefit) } }));
const oneMore = (field: 'totalLimit' | 'perCustomerLimit'): Break =>
  askedOn('/createPromotion', ({ id, draft }: { id: string; draft: Record<typeof field, number> }) => ({ id, draft: { ...draft, ...(draft[field] && { [field]: draft[field] + 1 }) } }));
const inQuotes = (change: (discount: Discount) => Partial<Discount>): Break =>
  answeredOn('/quote', ({ discounts, ...more }: { discounts: Discount[] }) => ({ ...more, discounts: discounts.map((one) => ({ ...one, ...change(one) })) }));
const inPages = (change: (items: Promotion[], cursor: string | null) => object): Break =>
  answeredOn('/listPromotions', (body: { items?: Promotion[]; nextCursor: string | null }) => (body.items ? { ...body, ...change(body.items, body.nextCursor) } : body));

/** Makes a promotion of any object, and puts it up at once. */
export const MAKES_UP: Break = {
  asked: ({ path, body }) => (path === '/createPromotion' && body.startsWith('{"id"') ? { body: JSON.stringify({ id: randomUUID(), draft: { name: 'Made up', class: 'order', benefit: { kind: 'percent', basisPoints: 1_000 }, codes: [randomUUID()] } }) } : {}),
};

/** What is broken of coupon, by the case that has to report it. */
export const COUPON_BREAKS: Record<string, [string, Break][]> = {
  'the handshake: says which contract it serves, and under which hash': [
    ['it is another module', answeredOn('/-/contract', (body: object) => ({ ...body, module: 'inventory' }))],
    ['it says no hash', answeredOn('/-/contract', less('hash'))],
    ['its header names another hash', { answered: (answer) => ({ headers: { ...answer.headers, 'kerf-contract': 'another' } }) }],
  ],
  'the handshake: serves a contract that callers with ours can talk to': [
    ['a method is missing', answeredOn('/-/contract', (body: { methods: object }) => ({ ...body, methods: less('release')(body.methods) }))],
    ['an input asks for more', answeredOn('/-/contract', (body: { methods: { quote: { input: { required: string[] } } } }) => (body.methods.quote.input.required.push('loyalty'), body))],
  ],
  'who calls: no token is caller_unknown': [
    ['nobody has to show a token', letsIn(() => true)],
    ['only events come without a token', letsIn((_, { path }) => path === '/-/events')],
    ['its reason is another', reasonInstead('caller_unknown', 'unauthenticated')],
  ],
  'who calls: a token that is none is caller_unknown': [['it breaks instead', { answered: ({ status }) => (status === 401 ? { status: 500, body: 'Internal Server Error' } : {}) }]],
  'who calls: a token that nobody signed is caller_unknown': [['it does not look for a signature', letsIn((token) => token?.header.alg === 'none')]],
  'who calls: a token signed with a key that nobody knows is caller_unknown': [['it does not check signatures', letsIn((token) => token !== undefined)]],
  'who calls: a token that has ended is caller_unknown': [['it does not look when a token ends', letsIn((token) => (token?.claims.exp ?? Infinity) < now())]],
  'who calls: a token from the future is caller_unknown': [['it does not look when a token begins', letsIn((token) => (token?.claims.iat ?? 0) > now() + 30)]],
  'who calls: a token that is older than a minute, whatever end it names, is caller_unknown': [['it believes any end', letsIn((token) => (token?.claims.exp ?? 0) > now() + 120)]],
  'who calls: a token for another module is caller_unknown': [['it does not look whom a token is for', letsIn((token) => token?.claims.aud !== 'coupon')]],
  'who calls: a token of another type is caller_unknown': [['it takes every type of token', letsIn((token) => token?.header.typ === 'JWT')]],
  'who calls: a token whose issuer is not whose key it names is caller_unknown': [['it believes the issuer', letsIn((token) => token?.claims.iss !== token?.header.kid)]],
  'who calls: a token that one module signed in the name of another is caller_unknown': [
    ['it looks for the key by the one name and admits by the other', letsIn((token) => token?.claims.iss !== token?.header.kid && ['edge', 'order'].includes(token?.claims.iss ?? ''))],
  ],
  'who calls: a module that may not call is caller_refused': [
    ['every module may call', letsIn((token, asked) => asked.path === '/quote' && token?.claims.iss !== 'order')],
    ['every module may tell it something', letsIn((token, asked) => asked.path === '/-/events' && token?.claims.iss !== 'order')],
  ],
  "who calls: another module's event is caller_refused": [['it believes the type', nothingHappens('/-/events', '.happened')]],
  'who calls: every module that may call is let in': [['only the edge may call', { instead: (asked) => (tokenIn(asked)?.claims.iss === 'order' ? json(403, { code: 'protocol', reason: 'caller_refused', message: 'No.' }) : undefined) }]],
  'the protocol: GET of a method is method_not_allowed': [['a GET will do', { asked: ({ method }) => (method === 'GET' ? { method: 'POST', body: '{}' } : {}) }]],
  'the protocol: a body that is not said to be JSON is unsupported_media_type': [['any type of body will do', { asked: ({ headers }) => ({ headers: { ...headers, 'content-type': 'application/json' } }) }]],
  'the protocol: broken JSON is contract_violation': [['broken JSON breaks it', { answered: ({ status }) => (status === 422 ? json(500, { code: 'internal', reason: 'internal', message: 'Oh.' }) : {}) }]],
  'the protocol: more than 1 MiB is too_large': [['it takes bodies of any size', { asked: ({ body }) => (body.length > 1_048_576 ? { body: '[]' } : {}) }]],
  'the protocol: exactly 1 MiB is not too large': [['a megabyte is too much', { instead: ({ body }) => (body.length > 1_000_000 ? json(413, { code: 'protocol', reason: 'too_large', message: 'Too large.' }) : undefined) }]],
  'the protocol: a path that is none is unknown_method, and its answer repeats nothing of it': [
    ['its answer names the path', { answered: ({ status, body }, { path }) => (status === 404 ? { body: body.replace('handed on', `handed on to ${path}`) } : {}) }],
    ['its answer repeats the token', { answered: ({ status, body }, { headers }) => (status === 404 ? { body: body.replace('handed on', `handed on for ${headers.authorization}`) } : {}) }],
    ['it is not_found', { answered: ({ status }) => (status === 404 ? json(404, { code: 'not_found', reason: 'not_found', message: 'No.' }) : {}) }],
  ],
  'the protocol: a module that is not there is unknown_module': [['it answers for every module', reasonInstead('unknown_module', 'unknown_method')]],
  'the protocol: calls one after the other share a connection': [['it closes the connection after each answer', { answered: ({ headers }) => ({ headers: { ...headers, connection: 'close' } }) }]],
  'the protocol: many calls at once are all answered': [['it takes one at a time', oneAtATime()]],
  'quote: wrong inputs are contract_violation': [
    ['an input without a currency will do', askedOn('/quote', (body: object) => ({ currency: 'KRW', ...body }))],
    ['they are refused as invalid', { answered: ({ status }) => (status === 422 ? json(400, { code: 'invalid', reason: 'invalid_input', message: 'No.' }) : {}) }],
  ],
  'quote: answers or refuses as its contract says': [
    ['its answer lacks a field', answeredOn('/quote', less('codes'))],
    ['it does not say which contract it serves', { answered: ({ headers }) => ({ headers: less('kerf-contract')(headers) }) }],
    ['its answer is not JSON', { answered: () => ({ body: '<html>' }) }],
    ['it is never there', neverThere('/quote')],
    ['it hangs', { instead: ({ path }) => (path === '/quote' ? new Promise(() => undefined) : undefined) }],
  ],
  'quote: a field that it does not know is ignored': [['it refuses what it does not know', { instead: ({ body }) => (body.includes('addedLater') ? json(422, { code: 'protocol', reason: 'contract_violation', message: 'No.' }) : undefined) }]],
  'quote: is not begun when the caller has no time left, or says a time that is none': [
    ['it ignores deadlines', without('kerf-timeout')],
    ['it takes a word for ten seconds', { asked: (asked) => (asked.headers['kerf-timeout'] === 'abc' ? without('kerf-timeout').asked!(asked) : {}) }],
  ],
  'createPromotion: wrong inputs are contract_violation': [['it makes up what is missing', MAKES_UP]],
  'createPromotion: does nothing when the caller has no time left': [
    ['it ignores deadlines', without('kerf-timeout')],
    ['it says that the time is over, and does it all the same', { asked: without('kerf-timeout').asked!, answered: (_, { path }) => (path === '/createPromotion' ? json(504, { code: 'protocol', reason: 'deadline_exceeded', message: 'No.' }) : {}) }],
  ],

  'events: order.expired about what it does not know is answered alike each time it comes': [['it is never there', neverThere('/-/events')]],

  'quote: a percentage of the whole, shared by the lines': [
    ['it takes off one won more', inQuotes(({ amount }) => ({ amount: amount + 1 }))],
    ['the first line bears it all', inQuotes(({ amount }) => ({ lines: [{ lineId: 'L1', amount }] }))],
    ['it calls it by another name', inQuotes(() => ({ name: 'Sale' }))],
    ['a code that is applied says why not', { answered: ({ body }) => ({ body: body.replace('"message":""', '"message":"Welcome."') }) }],
  ],
  'quote: a percentage is rounded down where it says so': [['it always rounds half up', forgetsOfBenefit('rounding')]],
  'quote: a percentage is rounded to whole tens': [['it always rounds to whole won', forgetsOfBenefit('roundTo')]],
  'quote: a percentage is at most its cap': [['it knows no cap', forgetsOfBenefit('cap')]],
  'quote: free shipping is the whole fee and of no line': [['the lines bear the shipping', inQuotes(({ amount }) => ({ lines: [{ lineId: 'L1', amount }] }))]],
  'quote: items named by product': [['it is for every product', forgets('scope')]],
  'quote: an excluded product wins over its category': [['it excludes nothing', forgets('scope')]],
  'quote: items, then the order on what they leave, then shipping': [['nothing stands beside anything', forgets('combinesWith')]],
  'quote: both have to allow the other': [['one that allows the other is enough', askedOn('/createPromotion', ({ id, draft }: { id: string; draft: object }) => ({ id, draft: { ...draft, combinesWith: ['item', 'order', 'shipping'] } }))]],
  'quote: an exclusive one that gives more than all others stands alone': [['nothing is exclusive', forgets('exclusive')]],
  'quote: of two that are equal the higher priority': [['nothing has priority', askedOn('/createPromotion', ({ id, draft }: { id: string; draft: { priority?: number } }) => ({ id, draft: { ...draft, priority: -(draft.priority ?? 0) } }))]],
  'quote: a minimum that is missed by one won, shipping not counted': [['there is no minimum', forgets('minimumSpend')]],
  'quote: before its first day': [['it begins at once', forgets('startsAt')]],
  'quote: after its last day': [['it never ends', forgets('endsAt')]],
  'quote: while it is paused': [['it is always on', forgets('active')], ['its reason is another', reasonInstead('paused', 'ended')]],
  'quote: says limit_reached once the last use is taken': [['there is no limit', forgets('totalLimit')]],
  'quote: says customer_limit_reached to the account that has had its uses, and to no other': [['every customer is the same', askedOn('/reserve', (body: { basket: object }) => ({ ...body, basket: { ...body.basket, customerId: randomUUID() } }))]],
  'audit: answers what each order has used up, from the order that is asked for on': [
    ['it says that nobody has used up anything', answeredOn('/audit', () => ({ items: [], next: null }))],
    ['it begins with the first order there is', askedOn('/audit', (body: object) => ({ ...body, from: null }))],
  ],
  'quote: knows a guest by the address, however it is written': [
    ['every tag is another guest', taggedApart('/quote')],
  ],
  'quote: does not depend on the order of the codes': [['the first code wins', askedOn('/quote', (body: { codes: string[] }) => ({ ...body, codes: body.codes.slice(0, 1) }))]],

  'reserve: takes one use of each, and answers a repeat the same without a second effect': [
    ['it reserves nothing', nothingHappens('/reserve')],
    ['it forgets which order it was for', askedOn('/reserve', (body: object) => ({ ...body, orderId: randomUUID() }))],
  ],
  'reserve: takes one use when ten of the same come at once': [['it forgets which order it was for', askedOn('/reserve', (body: object) => ({ ...body, orderId: randomUUID() }))]],
  'reserve: takes all or none, and answers the new quote': [
    ['its reason is another', reasonInstead('discount_changed', 'sold_out')],
    ['it does not say what the basket gets now', answeredOn('/reserve', less('details'))],
    ['its status is another', { answered: ({ status }) => (status === 409 ? { status: 400 } : {}) }],
  ],
  'reserve: refuses other discounts than the basket would get': [['it grants what it is asked for', { answered: ({ status }) => (status === 409 ? json(200, {}) : {}) }]],
  'reserve: grants exactly the limit to many orders at once': [['it grants one more than the limit', oneMore('totalLimit')]],
  'reserve: grants exactly the limit of a customer to many orders of hers at once': [['it grants one more than the limit', oneMore('perCustomerLimit')]],
  'reserve: runs out by itself': [['it holds on for good', askedOn('/reserve', (body: object) => ({ ...body, expiresAt: '2099-01-01T00:00:00.000Z' }))]],
  'reserve: is extended by a repeat, also when the promotion is paused by then': [['a repeat extends nothing', keepsFirst('/reserve')]],
  'release: gives the uses back, once': [['it keeps them', nothingHappens('/release')]],
  'events: order.placed makes the use final: it does not run out': [['it does not listen to order.placed', nothingHappens('/-/events', 'order.placed')]],
  'events: order.cancelled after it was placed gives the use back, once': [['it does not listen to order.cancelled', nothingHappens('/-/events', 'order.cancelled')]],
  'events: order.cancelled gives nothing back of a promotion that has ended': [['it gives back what has ended', forgets('endsAt')]],
  'events: order.expired lets the reservation go': [['it does not listen to order.expired', nothingHappens('/-/events', 'order.expired')]],
  'events: the same event again changes nothing, whatever has happened since': [['it takes every delivery for an event of its own', askedOn('/-/events', (body: object) => ({ ...body, id: randomUUID() }))]],

  'createPromotion: answers what was written, with what nobody said filled in': [
    ['its answer lacks a field', answeredOn('/createPromotion', less('used'))],
    ['it has uses already', answeredOn('/createPromotion', (body: object) => ({ ...body, used: 1 }))],
  ],
  'createPromotion: answers the first one to a repeat, also with another draft and ten at once': [['it makes another one each time', askedOn('/createPromotion', ({ draft }: { draft: object }) => ({ id: randomUUID(), draft: { ...draft, codes: [randomUUID()] } }))]],
  'createPromotion: refuses a code of another promotion, however it is written, and keeps nothing': [['codes differ by their case', askedOn('/createPromotion', ({ id, draft }: { id: string; draft: { codes: string[] } }) => ({ id, draft: { ...draft, codes: draft.codes.map((code) => (code === code.toLowerCase() ? `${code}-L` : code)) } }))]],
  'createPromotion: refuses what contradicts itself, and says where': [['it does not say where', answeredOn('/createPromotion', less('details'))]],
  'updatePromotion: refuses another version than the current one, and changes nothing': [['its reason is another', reasonInstead('version_mismatch', 'not_found')]],
  'listPromotions: gives every promotion once, newest first, page by page': [
    ['every page is the first', askedOn('/listPromotions', less('cursor'))],
    ['there is one page only', inPages(() => ({ nextCursor: null }))],
    ['each page is upside down', inPages((items) => ({ items: items.toReversed() }))],
  ],
  'listPromotions: finds the promotion that a code belongs to, however it is written': [['it lists all', askedOn('/listPromotions', less('code'))]],
  'listPromotions: refuses a cursor that it has not given': [['it takes any cursor', askedOn('/listPromotions', less('cursor'))]],
};

/** The same for inventory. */
export const INVENTORY_BREAKS: Record<string, [string, Break][]> = {
  'getLevels: answers in the order asked for; an unknown variant has nothing': [['it answers in an order of its own', answeredOn('/getLevels', ({ levels }: { levels: unknown[] }) => ({ levels: levels.toReversed() }))]],
  'adjust: adds once, however often it comes': [
    ['it forgets what it has added', askedOn('/adjust', (body: object) => ({ ...body, adjustmentId: randomUUID() }))],
    ['it looks at the id only', { answered: ({ status }) => (status === 409 ? json(200, { levels: [] }) : {}) }],
  ],
  'adjust: is refused below what is held, all of it': [['it does not say where', answeredOn('/adjust', less('details'))], ['its reason is another', reasonInstead('below_reserved', 'adjustment_conflict')]],
  'reserve: holds the lines, and answers a repeat the same without a second effect': [
    ['it holds nothing', nothingHappens('/reserve')],
    ['it forgets which order it was for', askedOn('/reserve', (body: object) => ({ ...body, orderId: randomUUID() }))],
  ],
  'reserve: holds all or nothing, and names what is short': [['it does not say what is short', answeredOn('/reserve', less('details'))]],
  'reserve: gives exactly what is there to many orders at once': [['it has one more than it says', askedOn('/adjust', (body: { adjustments: { delta: number }[] }) => ({ ...body, adjustments: body.adjustments.map((one) => ({ ...one, delta: one.delta + 1 })) }))]],
  'reserve: is refused with other lines for the same order': [['it keeps the first lines and says nothing', { answered: ({ status }) => (status === 409 ? json(200, {}) : {}) }]],
  'reserve: runs out by itself, and is taken anew': [['it holds on for good', askedOn('/reserve', (body: object) => ({ ...body, expiresAt: '2099-01-01T00:00:00.000Z' }))]],
  'reserve: is extended by a repeat': [['a repeat extends nothing', keepsFirst('/reserve')]],
  'release: gives the pieces back, once': [['it keeps them', nothingHappens('/release')]],
  'events: order.placed takes the pieces away, once': [['it does not listen to order.placed', nothingHappens('/-/events', 'order.placed')]],
  'events: order.cancelled after it was placed brings them back, once and for good': [['it does not listen to order.cancelled', nothingHappens('/-/events', 'order.cancelled')]],
  'events: order.expired lets them go, and the same event again changes nothing': [
    ['it does not listen to order.expired', nothingHappens('/-/events', 'order.expired')],
    ['it takes every delivery for an event of its own', askedOn('/-/events', (body: object) => ({ ...body, id: randomUUID() }))],
  ],
  'listLevels: gives every movement once, newest first, page by page': [['every page is the first', askedOn('/listMovements', less('cursor'))]],
  'listLevels: gives every level once, by variant id, page by page': [['nothing is ever scarce', { instead: ({ path, body }) => (path === '/listLevels' && body.includes('"below"') ? json(200, { items: [], nextCursor: null }) : undefined) }]],
  'listLevels: refuses a cursor that it has not given': [['it takes any cursor', askedOn('/listMovements', less('cursor'))]],
};

/** Takes an address with a tag for another one. */
function taggedApart(path: string): Break {
  return askedOn(path, (basket: { email: string | null }) => ({ ...basket, email: basket.email?.replace('+', '.') ?? null }));
}

/** Is busy with the first call until the second comes, and takes no other beside it. */
function oneAtATime(): Break {
  let another: (() => void) | undefined;
  return {
    instead: async (): Promise<Answered | undefined> => {
      if (another) {
        another();
        return { status: 503, headers: {}, body: 'Service Unavailable' };
      }
      await new Promise<void>((resolve) => (another = resolve));
      return undefined;
    },
  };
}
