import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readSources, type SourceFacts } from '../../src/boundaries/map/source-facts.ts';
import { ROOT } from '../../src/setup/paths.ts';

const contract = `
import { z } from 'zod';
import { defineContract, event, read, type Service, write } from '../../shared/contract.ts';
const Nothing = z.object({});
export const letterContract = defineContract({
  module: 'letter',
  methods: {
    /**
     * Sends a letter
     * by post. Never twice.
     *
     * - \`no_stamp\`: buy one
     */
    send: write({ input: Nothing, output: Nothing }),
    /** Who got one. */
    list: read({ input: Nothing, output: Nothing }),
    find: read({ input: Nothing, output: Nothing }),
  },
  events: {
    /** It was sent. */
    sent: event('letter.sent', 'id', z.object({ id: z.string() })),
  },
});
export type Letters = Service<typeof letterContract>;
`;

const CONTRACT = '../letter/contract.ts';
const files: Record<string, string> = {
  'modules/letter/contract.ts': contract,
  'modules/letter/letter-routes.ts': `import type { Letters } from './contract.ts'; export const routes = (letters: Letters) => letters.list({});`,
  'modules/letter/letter-service.ts': `import type { Letters } from './contract.ts'; export const service = (letters: Letters) => letters.send({});`,
  'modules/letter/fake.ts': `import type { Letters } from './contract.ts'; export const fake = (letters: Letters) => letters.send({});`,
  'modules/order/plain.ts': `import type { Letters } from '${CONTRACT}'; export const plain = (letters: Letters) => letters.send({});`,
  'modules/order/indexed.ts': `import type { Letters } from '${CONTRACT}'; export const indexed = (letters: Letters) => letters['send']({});`,
  'modules/order/taken-apart.ts': `import type { Letters } from '${CONTRACT}'; export const apart = ({ send: post }: Letters) => post({});`,
  'modules/order/part.ts': `import type { Letters } from '${CONTRACT}'; export const part = (the: { box: Pick<Letters, 'send'> }) => the.box.send;`,
  'modules/order/derived.ts': `import { letterContract } from '${CONTRACT}'; import type { Service } from '../../shared/contract.ts';
    declare function service<C extends object>(contract: C): C extends typeof letterContract ? Service<C> : never;
    export const derived = async () => (await Promise.resolve(service(letterContract))).send({});`,
  'modules/order/like-it.ts': `export const other = (door: { send(): void; list: string[] }) => { door.send(); return door.list; };`,
};

let tree: string;
let sources: SourceFacts;
beforeAll(async () => {
  tree = await mkdtemp(join(tmpdir(), 'kerf-sources-'));
  await cp(join(ROOT, 'src/shared'), join(tree, 'src/shared'), { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(tree, 'src', path)), { recursive: true });
    await writeFile(join(tree, 'src', path), content);
  }
  sources = readSources([{ methods: ['send', 'list', 'find'].map((name) => ({ name, kind: 'read', reasons: [] })) }], tree);
});
afterAll(() => rm(tree, { recursive: true, force: true }));

it('finds who calls a method, however the service came there, and nobody who calls something of the same name', () => {
  expect(sources.callSites.get('letter.send')).toEqual([
    'modules/order/derived.ts',
    'modules/order/indexed.ts',
    'modules/order/part.ts',
    'modules/order/plain.ts',
    'modules/order/taken-apart.ts',
  ]);
});

it('counts a module’s own routes, and neither its service nor its fake', () => {
  expect(sources.callSites.get('letter.list')).toEqual(['modules/letter/letter-routes.ts']);
  expect(sources.callSites.has('letter.find')).toBe(false);
});

it('takes the effect of methods and events from the first sentence of their doc comments', () => {
  expect(Object.fromEntries(sources.effects)).toEqual({
    'letter.send': 'Sends a letter by post',
    'letter.list': 'Who got one',
    'letter.find': '',
    'letter.sent': 'It was sent',
  });
});

it('keeps the whole comment, a line for each paragraph and list item', () => {
  expect(sources.comments.get('letter.send')).toBe('Sends a letter by post. Never twice.\n- `no_stamp`: buy one');
});
