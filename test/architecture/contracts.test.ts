import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contractStates } from '../../src/boundaries/contracts/contract-snapshots.ts';
import { modules } from '../../src/composition.ts';
import { ROOT } from '../../src/setup/paths.ts';

describe('the contracts of this system', () => {
  it('are as they were last accepted', async () => {
    const states = await contractStates(
      modules.map(({ contract }) => contract),
      ROOT,
    );
    expect(states).toHaveLength(modules.length);
    expect(states.filter(({ state }) => state !== 'accepted')).toEqual([]);
  });
});

describe('kerf contracts', () => {
  const snapshot = 'src/modules/lamp/contract.json';
  let tree: string;
  beforeAll(async () => {
    tree = await mkdtemp(join(tmpdir(), 'kerf-contracts-'));
    for (const part of ['src/shared', 'src/boundaries', 'src/setup', 'src/cli', 'package.json']) await cp(join(ROOT, part), join(tree, part), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
    await mkdir(join(tree, 'src/modules/lamp'), { recursive: true });
    await mkdir(join(tree, 'src/modules/lost'));
    await writeFile(join(tree, 'src/composition.ts'), `import { lamp } from './modules/lamp/contract.ts';\nexport const modules = [{ contract: lamp }];\n`);
    await writeFile(
      join(tree, 'kerf.ts'),
      `import { contractsCommand } from './src/cli/contracts-command.ts';
       import { ConfigError } from './src/setup/config-error.ts';
       await contractsCommand.parseAsync(process.argv.slice(2), { from: 'user' }).catch((error) => {
         if (!(error instanceof ConfigError)) throw error;
         process.stderr.write(error.message);
         process.exitCode = 2;
       });`,
    );
    await promise('id: z.string()');
  });
  afterAll(() => rm(tree, { recursive: true, force: true }));

  /** Writes the module's contract: what \`turn\` takes, and the reasons it may refuse with. */
  const promise = (fields: string, reasons = '[]') =>
    writeFile(
      join(tree, 'src/modules/lamp/contract.ts'),
      `import { z } from 'zod';
       import { defineContract, write } from '../../shared/contract.ts';
       export const lamp = defineContract({
         module: 'lamp',
         methods: { turn: write({ input: z.object({ ${fields} }), output: z.object({ on: z.boolean() }), reasons: ${reasons} }) },
         events: {},
       });`,
    );
  const kerf = (...words: string[]) =>
    new Promise<{ code: number; out: string; err: string }>((resolve) => {
      execFile(process.execPath, [join(tree, 'kerf.ts'), ...words], (error, out, err) => resolve({ code: Number(error?.code ?? 0), out, err }));
    });
  const saved = () => readFile(join(tree, snapshot), 'utf8');

  it('fails for a contract without a snapshot; accepting it writes the snapshot once', async () => {
    const { code, out } = await kerf();
    expect({ code, out }).toEqual({ code: 1, out: expect.stringContaining('lamp: a contract that was never accepted') });
    expect(out).toContain('npx kerf contracts accept lamp');
    expect(await kerf('accept')).toMatchObject({ code: 0, out: expect.stringContaining(`${snapshot} is written.`) });
    const written = await saved();
    expect(written).toMatch(/^\{\n {2}"module": "lamp",\n {2}"hash": "[0-9a-f]{16}",\n/);
    expect(await kerf()).toMatchObject({ code: 0, out: expect.stringContaining('lamp: as accepted') });
    expect(await kerf('accept')).toMatchObject({ code: 0, out: 'There is nothing to accept.\n' });
    expect(await saved()).toBe(written);
  });

  it('lists compatible changes and passes, and measures against the last accepted contract until they are accepted', async () => {
    await promise('id: z.string(), dim: z.int().optional()');
    const before = await saved();
    const { code, out } = await kerf();
    expect(code).toBe(0);
    expect(out).toContain('lamp: 1 compatible change, not yet accepted\n  compatible turn input dim: is new and optional\n');
    expect(out).toContain('npx kerf contracts accept lamp');
    expect(await kerf('--accepted')).toMatchObject({ code: 1, out: expect.stringMatching(/has to be accepted.*: npx kerf contracts accept lamp\n/) });
    expect(await saved()).toBe(before);
    expect((await kerf('accept', 'lamp')).code).toBe(0);
    expect(await kerf('--accepted')).toMatchObject({ code: 0, out: expect.stringContaining('lamp: as accepted') });
  });

  it('counts breaking and compatible changes apart', async () => {
    await promise('id: z.string().max(9), dim: z.int().optional(), hue: z.int().optional()');
    expect((await kerf()).out).toContain('lamp: 1 breaking and 1 compatible change, not yet accepted');
  });

  it('fails for breaking changes, with the place, whom they break and what to do instead', async () => {
    await promise('id: z.string(), dim: z.int().max(9)', `['no_oil']`);
    const { code, out } = await kerf();
    expect(code).toBe(1);
    expect(out).toContain('lamp: 3 breaking changes, not yet accepted');
    expect(out).toContain('breaking   turn: may refuse with the reason no_oil\n             Callers written before do not know this reason');
    expect(out).toContain('breaking   turn input dim: is no longer optional\n             Callers written before do not send it, and are refused. Instead: Make it optional, or give it a default.');
    expect(out).toContain('turn input dim: at most 9, before at most 9007199254740991');
    expect(out).toContain('npx kerf contracts accept lamp --breaking');
  });

  it('tells machines the same', async () => {
    const { code, out } = await kerf('--json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      contracts: [{ module: 'lamp', state: 'breaking', hash: expect.stringMatching(/^[0-9a-f]{16}$/), changes: expect.arrayContaining([expect.objectContaining({ method: 'turn', part: 'input', field: 'dim', breaking: true })]) }],
    });
  });

  it('accepts breaking changes only when told so, and says in which order to deploy', async () => {
    const before = await saved();
    expect(await kerf('accept')).toMatchObject({ code: 1, out: expect.stringContaining('Nothing is accepted: lamp would break') });
    expect(await saved()).toBe(before);
    const { code, out } = await kerf('accept', '--breaking');
    expect(code).toBe(0);
    expect(out).toContain('turn input dim: is no longer optional');
    expect(out).toContain('first every caller and subscriber named above, ready for both forms, and only then lamp');
    expect((await kerf()).out).toContain('lamp: as accepted');
  });

  it('fails for a snapshot whose module is gone', async () => {
    const left = join(tree, 'src/modules/lost/contract.json');
    await writeFile(left, await saved());
    expect(await kerf()).toMatchObject({ code: 1, out: expect.stringContaining('lost: breaking: no such module is composed any more') });
    expect(await kerf('accept', 'lost')).toMatchObject({ code: 2, err: expect.stringMatching(/^lost cannot be accepted: no such module .*delete its folder/) });
    await rm(left);
  });

  it.each([
    ['is cut off', (text: string) => text.slice(0, 100), /not written by this version of Kerf, or not to its end/],
    ['has another form', () => '{ "module": "lamp" }', /not written by this version/],
    ['was changed by hand', (text: string) => text.replace('no_oil', 'no_gas'), /changed by hand or by a merge/],
    ['has a merge conflict', (text: string) => `<<<<<<< ours\n${text}=======\n${text}>>>>>>> theirs\n`, /has a merge conflict in it\. Take one of its sides whole/],
    ['is that of another module', (text: string) => text.replace('"lamp"', '"sofa"'), /is that of sofa/],
  ])('says in one sentence when the snapshot %s', async (_what, spoil, why) => {
    const good = await saved();
    await writeFile(join(tree, snapshot), spoil(good));
    const accepting = await kerf('accept', '--breaking');
    const sentence = /src\/modules\/lamp\/contract\.json is not a snapshot of the contract of lamp: [^\n]*/;
    expect(accepting).toMatchObject({ code: 2, err: expect.stringMatching(new RegExp(`^${sentence.source}$`)) });
    expect(accepting.err).toMatch(why);
    const [checking, telling] = [await kerf(), await kerf('--json')];
    expect(checking).toMatchObject({ code: 2, out: expect.stringMatching(why) });
    expect(telling.code).toBe(2);
    expect(JSON.parse(telling.out)).toMatchObject({ contracts: [{ module: 'lamp', state: 'unusable', problem: expect.stringMatching(sentence) }] });
    await writeFile(join(tree, snapshot), good);
  });

  it('compares the others when one cannot be read', async () => {
    const composition = await readFile(join(tree, 'src/composition.ts'), 'utf8');
    await writeFile(join(tree, 'src/composition.ts'), composition.replace('[{', "[{ contract: { ...lamp, module: 'lost' } }, {"));
    await writeFile(join(tree, 'src/modules/lost/contract.json'), '{');
    expect(await kerf()).toMatchObject({ code: 2, out: expect.stringMatching(/^lost: not compared: .*\nlamp: as accepted\n/) });
    await rm(join(tree, 'src/modules/lost/contract.json'));
    await writeFile(join(tree, 'src/composition.ts'), composition);
  });

  it('says in one sentence what a contract cannot have', async () => {
    await promise('id: z.date()');
    expect(await kerf()).toMatchObject({ code: 2, out: expect.stringContaining('lamp: not compared: The input of lamp.turn, at id: a contract is JSON, which has no such date.\n') });
    await promise('id: z.string(), dim: z.int().max(9)', `['no_oil']`);
  });

  it('knows only modules that are there', async () => {
    expect(await kerf('accept', 'sofa')).toMatchObject({ code: 2, err: 'There is no module "sofa": lamp.' });
  });

  it('shows a contract as it is', async () => {
    expect(JSON.parse((await kerf('show', 'lamp')).out)).toEqual(JSON.parse(await saved()));
  });
});
