import { execFile } from 'node:child_process';
import { appendFile, cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toSvg } from '../../src/boundaries/map/graph-picture.ts';
import { mapFiles, staleFiles } from '../../src/boundaries/map/map-files.ts';
import { describeModules, firstSentence, type ModuleFacts } from '../../src/boundaries/map/module-facts.ts';
import { graphOf, toMermaid } from '../../src/boundaries/map/module-graph.ts';
import { readSources, type SourceFacts } from '../../src/boundaries/map/source-facts.ts';
import { MODULES } from '../../src/calls.ts';
import { ROOT } from '../../src/setup/paths.ts';

let facts: ModuleFacts[];
let sources: SourceFacts;
beforeAll(async () => {
  facts = await describeModules();
  sources = readSources(facts);
});

describe('the map of this tree', () => {
  it('has every module of src/calls.ts, and each says what it owns', () => {
    expect(facts.map(({ name }) => name).toSorted()).toEqual(MODULES.toSorted());
    expect(facts.filter(({ owns }) => owns.length < 10 || owns.length > 60)).toEqual([]);
  });

  it('is fresh', async () => expect(await staleFiles(await mapFiles(facts, sources, ROOT), ROOT)).toEqual([]));

  it('has an effect in words for every method and event of every contract', () => {
    const members = facts.flatMap(({ name, methods, emits }) => [...methods, ...emits].map((member) => `${name}.${member.name}`));
    expect(members.filter((key) => !/\w+ \w+/.test(sources.effects.get(key) ?? ''))).toEqual([]);
  });

  it('knows whom each agreed call is for: every callee has a method that its caller uses', () => {
    const uses = [...sources.callSites].flatMap(([key, paths]) => paths.map((path) => `${path.split('/')[1]} → ${key.split('.')[0]}`));
    expect(facts.flatMap(({ name, calls }) => calls.map((callee) => `${name} → ${callee}`)).filter((call) => !uses.includes(call))).toEqual([]);
  });
});

describe('kerf map', { timeout: 60_000 }, () => {
  let tree: string;
  beforeAll(async () => {
    tree = await mkdtemp(join(tmpdir(), 'kerf-map-'));
    for (const part of ['src', 'docs', 'migrations', 'package.json']) await cp(join(ROOT, part), join(tree, part), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  });
  afterAll(() => rm(tree, { recursive: true, force: true }));

  const kerfMap = async (...words: string[]): Promise<{ code: number; stdout: string }> => {
    const script = `const { mapCommand } = await import('./src/cli/map-command.ts'); await mapCommand.parseAsync(${JSON.stringify(words)}, { from: 'user' });`;
    const done = promisify(execFile)('node', ['--input-type=module', '-e', script], { cwd: tree });
    return done.then(({ stdout }) => ({ code: 0, stdout }), (error: { code: number; stdout: string }) => error);
  };
  const content = (path: string) => readFile(join(tree, path), 'utf8');

  it('fails on stale files, names them and the command that mends them', async () => {
    await appendFile(join(tree, 'docs/modules/coupon.md'), 'And more.\n');
    await writeFile(join(tree, 'docs/modules/gone.md'), await content('docs/modules/coupon.md'));
    await writeFile(join(tree, 'src/modules/user/README.md'), (await content('src/modules/user/README.md')).replace('| listens | nothing |', '| listens | to gossip |'));
    await writeFile(join(tree, 'src/calls.ts'), (await content('src/calls.ts')).replace("order: ['user', ", 'order: ['));
    await rm(join(tree, 'docs/modules/payment.md'));
    const { code, stdout } = await kerfMap('--check');
    expect(code).toBe(1);
    expect(stdout.split('\n').filter((line) => line.endsWith('is stale')).map((line) => line.split(' ')[0]).toSorted()).toEqual([
      'docs/map.md',
      'docs/map.svg',
      'docs/modules/coupon.md',
      'docs/modules/gone.md',
      'docs/modules/order.md',
      'docs/modules/payment.md',
      'docs/modules/user.md',
      'src/modules/order/README.md',
      'src/modules/user/README.md',
    ]);
    expect(stdout).toContain('Run "npm run docs:map" and commit what it changes.');
    await expect(content('docs/modules/payment.md')).rejects.toThrow();
  });

  it.each([
    ['is missing', undefined],
    ['has another title', '# The users\n\nAccounts of people.\n'],
    ['says nothing', '# user\n'],
  ])('says in one sentence when a README %s', async (_what, text) => {
    const path = join(tree, 'src/modules/user/README.md');
    const good = await readFile(path, 'utf8');
    await (text === undefined ? rm(path) : writeFile(path, text));
    const run = promisify(execFile)('node', ['src/cli/kerf.ts', 'map', '--check'], { cwd: tree });
    await expect(run).rejects.toMatchObject({ code: 2, stderr: expect.stringMatching(/^src\/modules\/user\/README\.md has to begin with "# user"[^\n]*\n$/) });
    await writeFile(path, good);
  });

  it('ends quietly when whoever reads along has read enough', async () => {
    const run = promisify(execFile)('bash', ['-o', 'pipefail', '-c', 'node src/cli/kerf.ts config | true'], { cwd: tree });
    await expect(run).resolves.toMatchObject({ stderr: '' });
  });

  it('mends them, and touches nothing else', async () => {
    await writeFile(join(tree, 'docs/modules/by-hand.md'), 'Written by a person.\n');
    await appendFile(join(tree, 'src/modules/coupon/README.md'), '\nWritten by a person, too.\n');
    expect(await kerfMap()).toMatchObject({ code: 0 });
    expect(await kerfMap('--check')).toMatchObject({ code: 0 });
    expect(await content('docs/map.md')).not.toContain('order --> user');
    expect(await content('docs/modules/by-hand.md')).toBe('Written by a person.\n');
    expect(await content('src/modules/coupon/README.md')).toContain('Written by a person, too.');
    await expect(content('docs/modules/gone.md')).rejects.toThrow();
  });

  it('puts the card below the first paragraph of a README that has none yet', async () => {
    await writeFile(join(tree, 'src/modules/coupon/README.md'), '# coupon\n\nPromotions, and who\nused them up. More.\n\n## Rules\nNone.\n');
    await kerfMap();
    expect(await content('src/modules/coupon/README.md')).toMatch(/^# coupon\n\nPromotions, and who\nused them up\. More\.\n\n<!-- map: .*\n\n\|[\s\S]*\|\n\n<!-- \/map -->\n\n## Rules\nNone\.\n$/);
  });

  it('prints the facts for machines', async () => {
    const { stdout } = await kerfMap('--json');
    const { modules } = JSON.parse(stdout) as { modules: ModuleFacts[] };
    expect(modules.find(({ name }) => name === 'coupon')).toMatchObject({
      calls: [],
      calledBy: ['order'],
      listens: [{ type: 'order.placed', from: 'order' }, { type: 'order.cancelled', from: 'order' }, { type: 'order.expired', from: 'order' }],
    });
  });
});

describe('the graph', () => {
  const module = (name: string, more: Partial<ModuleFacts> = {}): ModuleFacts => ({ name, owns: '', calls: [], calledBy: [], methods: [], emits: [], listens: [], tables: [], contractHash: '', ...more });
  const shipped = { name: 'shipped', type: 'parcel.shipped', orderedBy: 'id', subscribers: ['ledger', 'letter'] };
  const lost = { name: 'lost', type: 'parcel.lost', orderedBy: 'id', subscribers: ['letter'] };
  const graph = graphOf([
    module('ledger', { owns: 'What is "owed" & paid' }),
    module('parcel', { owns: 'Parcels', calls: ['ledger'], emits: [shipped, lost] }),
    module('letter'),
  ]);

  it('is Mermaid with solid calls and dotted events', () => {
    expect(toMermaid(graph)).toBe(
      `flowchart TB
  clients([clients]) -->|REST /v1| edge --> modules
  subgraph modules [" "]
    parcel["<b>parcel</b><br/>Parcels"]
    ledger["<b>ledger</b><br/>What is #quot;owed#quot; #amp; paid"]
    letter["<b>letter</b><br/>"]
    parcel --> ledger
    parcel -. "shipped" .-> ledger
    parcel -. "shipped<br/>lost" .-> letter
  end
`,
    );
  });

  it('is a picture that is the same every time', async () => {
    const picture = await toSvg(graph);
    expect(await toSvg(graph)).toBe(picture);
    const words = [...picture.matchAll(/<text [^>]*>([^<]*)</g)].map(([, text = '']) => text.trim());
    expect(words).toEqual(expect.arrayContaining(['clients', 'edge', 'parcel', 'Parcels', 'ledger', 'letter', 'What is &quot;owed&quot; &amp; paid']));
    expect(words.filter((word) => /shipped|lost/.test(word))).toHaveLength(3);
  });
});

it.each([
  ['# coupon\n\nPromotions, and who\nused them. More.', 'Promotions, and who used them'],
  ['# coupon\n\nThe `coupon` of [order](../order.md), v1.2', 'The coupon of order, v1.2'],
  ['# coupon\n\n| a | b |\n', ''],
  ['# coupon\n\n## Rules\nNone.', ''],
  ['', ''],
])('what a module owns is the first sentence of its README: %j', (markdown, owns) => expect(firstSentence(markdown)).toBe(owns));
