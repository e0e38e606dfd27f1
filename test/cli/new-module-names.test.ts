import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assertNewEntry, assertNewModule } from '../../src/cli/new-module/free.ts';
import { assertModuleName, namesOf, pluralOf, withArticle } from '../../src/cli/new-module/names.ts';
import { filesOf, inWordsOf, readTemplate, wordsOf } from '../../src/cli/new-module/template.ts';
import { allOrNothing, Interrupted } from '../../src/cli/new-module/tree.ts';
import { withModule, withRow } from '../../src/cli/new-module/wiring.ts';
import { ConfigError } from '../../src/setup/config-error.ts';

/** Everything that is asked of a name before anything is written. */
async function refusalOf(module: string, entry?: string): Promise<string> {
  try {
    assertModuleName(module);
    assertNewModule(module);
    const names = namesOf(module, entry);
    const template = await readTemplate();
    await assertNewEntry(names, wordsOf(template));
    filesOf(names, template);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

/* Names that are free here are ones that nobody is likely to need for a module of a shop. */

describe('a name', () => {
  it.each(['quokka', 'zz', 'q'.repeat(30)])('may be %s', async (name) => {
    expect(await refusalOf(name)).toBe('');
  });

  it.each([
    ['Ticket', /is not a name for a module: take one English word of 2 to 30 lower-case letters, like "ticket"/],
    ['t', /2 to 30 lower-case letters/],
    ['a'.repeat(31), /2 to 30 lower-case letters/],
    ['gift-card', /2 to 30 lower-case letters/],
    ['gift_card', /2 to 30 lower-case letters/],
    ['ticket2', /2 to 30 lower-case letters/],
    ['티켓', /2 to 30 lower-case letters/],
    ['../ticket', /2 to 30 lower-case letters/],
    ['__proto__', /2 to 30 lower-case letters/],
    ['edge', /Kerf's own/],
    ['shared', /Kerf's own/],
    ['migrations', /Kerf's own/],
    ['new', /Kerf's own/],
    ['couponjobs', /Kerf's own/],
    ['public', /belongs to Postgres/],
    ['pgboss', /belongs to Postgres/],
    ['default', /of the language itself/],
    ['class', /of the language itself/],
    ['import', /of the language itself/],
    ['await', /of the language itself/],
    ['yield', /of the language itself/],
    ['eval', /of the language itself/],
    ['constructor', /of the language itself/],
    ['process', /of the language itself/],
    ['require', /of the language itself/],
    ['module', /of the language itself/],
    ['exports', /of the language itself/],
    ['global', /of the language itself/],
    ['coupon', /There is a module coupon already/],
    ['coupons', /would be taken for the module coupon/],
    ['categories', /can hardly name one/],
    ['smtp', /KERF_SMTP_URL means something else/],
    ['page', /"page" has a meaning of its own in the code of every module/],
    ['contract', /"contract" has a meaning of its own/],
    ['cart', /The public API has the schema Cart already/],
    ['promotion', /The public API has the route \/v1\/admin\/promotions already/],
  ])('cannot be %s', async (name, sentence) => {
    expect(await refusalOf(name)).toMatch(sentence);
  });

  it.each([
    ['zoologies', 'quokka', /^$/],
    ['aviary', 'heron', /^$/],
    ['aviary', 'herons', /"herons" can hardly name one of them and "heronses" many/],
    ['aviary', 'value', /"values" many/],
    ['aviary', 'Heron', /"Heron" is not a name for what it keeps/],
    ['aviary', 'product', /The public API has the route \/v1\/admin\/products already/],
    ['aviary', 'profile', /The public API has the schema Profile already/],
    ['aviary', 'import', /can hardly name/],
    ['aviary', 'constructor', /can hardly name/],
    ['aviary', 'process', /can hardly name/],
    ['aviary', 'require', /can hardly name/],
    ['aviary', 'module', /can hardly name/],
    ['aviary', 'global', /can hardly name/],
    ['service', 'quokka', /A file of every module is called "service"/],
    ['fake', 'quokka', /A file of every module is called "fake"/],
    ['aviary', 'map', /"map" has a meaning of its own/],
  ])('of %s may keep the word "%s", or is told why not', async (name, entry, sentence) => {
    expect(await refusalOf(name, entry)).toMatch(sentence);
  });
});

describe('the words of a module', () => {
  it.each([
    ['ticket', 'tickets'], ['category', 'categories'], ['day', 'days'], ['address', 'addresses'], ['box', 'boxes'], ['batch', 'batches'], ['bus', 'buses'],
  ])('are %s and %s', (one, many) => expect(pluralOf(one)).toBe(many));

  it.each(['a ticket', 'an invoice', 'an offer', 'a user', 'an upload', 'a unit'])('are "%s"', (phrase) => expect(withArticle(phrase.split(' ')[1]!)).toBe(phrase));

  it.each([
    ['quokka', undefined, 'A quokka, Quokkas: createQuokka in quokkaContract, quokka.archived'],
    ['aviary', 'egret', 'An egret, Egrets: createEgret in aviaryContract, aviary.egret_archived'],
  ])('take the place of those in the template: %s', (module, entry, text) => {
    expect(inWordsOf(namesOf(module, entry), 'An entry, Entries: createEntry in sampleContract, sample.entry_archived')).toBe(text);
  });
});

describe('the wiring', () => {
  it('adds a row to the table of calls, and nothing else', () => {
    const table = (rows: string) => `/** Why. */\nexport const calls: Readonly<Record<string, readonly string[]>> = {\n${rows}};\n\nexport const MODULES = Object.keys(calls);\n`;
    expect(withRow(table("  user: [],\n  order: ['user'],\n"), 'ticket')).toBe(table("  user: [],\n  order: ['user'],\n  ticket: [],\n"));
    expect(() => withRow(table("  user: [],\n  ...others,\n"), 'ticket')).toThrow(
      'src/calls.ts:4 is neither a row like "coupon: []," nor a comment, so the module cannot be added there: nothing was written.',
    );
    expect(() => withRow('export const MODULES = [];\n', 'ticket')).toThrow('src/calls.ts has no line that begins "export const calls:"');
  });

  it('adds the import in order and the line at the end of the list', () => {
    const composition = (imports: string, lines: string) => `import { x } from './x.ts';\n${imports}\nexport const modules: readonly Module[] = [\n${lines}];\n`;
    const line = (name: string) => `import { ${name}Module } from './modules/${name}/module.ts';\n`;
    expect(withModule(composition(line('order') + line('user'), '  userModule,\n  orderModule,\n'), 'ticket')).toBe(
      composition(line('order') + line('ticket') + line('user'), '  userModule,\n  orderModule,\n  ticketModule,\n'),
    );
    expect(() => withModule(composition(line('user'), '  userModule, orderModule,\n'), 'ticket')).toThrow('src/composition.ts:5 is neither a row like "couponModule,"');
    expect(() => withModule(composition('', '  userModule,\n'), 'ticket')).toThrow('src/composition.ts has no line like "import { couponModule }');
  });

  it.each([
    ['comments', '  // Who they are.\n  user: [],\n  /** What they buy,\n   * and where. */\n\n  order: [\'user\'], // asks who it is\n'],
    ['other ends of lines', '  user: [],\r\n  order: [\'user\'],\r\n'],
  ])('keeps %s', (_, rows) => {
    const end = /\r?\n/.exec(rows)![0];
    const source = `export const calls: Rows = {${end}${rows}};${end}`;
    expect(withRow(source, 'ticket')).toBe(source.replace('};', `  ticket: [],${end}};`));
  });

  it('keeps comments and other ends of lines in the composition', () => {
    const source = [
      "import { userModule } from './modules/user/module.ts'; // who", 'export const modules: readonly Module[] = [', '  // first', '  userModule, // all ask it', '];', '',
    ];
    expect(withModule(source.join('\r\n'), 'ticket')).toBe(
      ["import { ticketModule } from './modules/ticket/module.ts';", ...source.toSpliced(4, 0, '  ticketModule,')].join('\r\n'),
    );
  });
});

describe('writing', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'kerf-writing-'));
    await mkdir(join(root, 'there'));
    await writeFile(join(root, 'there/kept'), 'before');
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const files = new Map([['new/deep/file', '1'], ['new/other', '2'], ['there/kept', 'after'], ['there/added', '3']]);
  const intact = async () => {
    expect((await readdir(root, { recursive: true })).toSorted()).toEqual(['there', 'there/kept']);
    expect(await readFile(join(root, 'there/kept'), 'utf8')).toBe('before');
  };

  it('makes what is missing', async () => {
    await allOrNothing(root, (write) => write(files));
    for (const [path, text] of files) expect(await readFile(join(root, path), 'utf8')).toBe(text);
  });

  it('leaves nothing of what cannot be written whole', async () => {
    const impossible = allOrNothing(root, (write) => write(new Map([...files, ['there', 'a folder cannot say this']])));
    await expect(impossible).rejects.toThrow(/^there cannot be written \(EISDIR\): everything is as it was\.$/);
    await intact();
  });

  it('leaves nothing when what follows fails', async () => {
    const failed = allOrNothing(root, async (write) => {
      await write(files);
      throw new ConfigError('No map can be drawn');
    });
    await expect(failed).rejects.toThrow('No map can be drawn: everything is as it was.');
    await intact();
  });

  it('takes back the rest when something cannot be, and names that', async () => {
    const failed = allOrNothing(root, async (write) => {
      await write(files);
      await rm(join(root, 'there/kept'));
      await mkdir(join(root, 'there/kept'));
      throw new ConfigError('No map can be drawn');
    });
    await expect(failed).rejects.toThrow('No map can be drawn: everything is as it was but there/kept, which cannot be restored.');
    expect((await readdir(root, { recursive: true })).toSorted()).toEqual(['there', 'there/kept']);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('leaves nothing when %s stops it', async (signal) => {
    const stopped = allOrNothing(root, async (write) => {
      await write(files);
      process.emit(signal);
    });
    await expect(stopped).rejects.toThrow(new Interrupted('Stopped: everything is as it was.'));
    await intact();
  });
});
