import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatProductFile, parseCategoryFile, parseProductFile, type ProductFileRow } from '../../src/setup/product-file.ts';

const HEADER = 'slug,category,name_ko,name_en,description_ko,description_en,option1_name,option1_value,option2_name,option2_value,sku,price_krw,price_usd,stock,status';
const CELLS = {
  slug: 'tumbler', category: 'kitchen', name_ko: '텀블러', name_en: 'Tumbler', description_ko: '', description_en: '', option1_name: 'color', option1_value: 'Ivory',
  option2_name: '', option2_value: '', sku: 'T-1', price_krw: '28000', price_usd: '24.90', stock: '8', status: 'published',
};
const line = (more: Partial<typeof CELLS> = {}) => Object.values({ ...CELLS, ...more }).join(',');
const parse = (...lines: string[]) => parseProductFile(Buffer.from([HEADER, ...lines].join('\n')));
const ROW: ProductFileRow = {
  line: 2, slug: 'tumbler', category: 'kitchen', name: { ko: '텀블러', en: 'Tumbler' }, description: { ko: '', en: '' },
  options: { color: 'Ivory' }, sku: 'T-1', prices: { KRW: 28_000, USD: 2_490 }, stock: 8, state: 'published',
};

describe('a product file', () => {
  it('is one variant per line', () => expect(parse(line())).toEqual({ rows: [ROW], errors: [] }));

  it.each([
    ['a byte order mark', `\ufeff${HEADER}\n${line()}`],
    ['CRLF', `${HEADER}\r\n${line()}\r\n`],
    ['both', `\ufeff${HEADER}\r\n${line()}\r\n`],
    ['CR alone', `${HEADER}\r${line()}\r`],
    ['empty lines at the end', `${HEADER}\n${line()}\n\n\n`],
    ['spaces around cells', `${HEADER}\n${line({ slug: ' tumbler ', stock: ' 8' })}`],
  ])('may have %s', (_, text) => expect(parseProductFile(Buffer.from(text))).toEqual({ rows: [ROW], errors: [] }));

  it('may have its columns in any order', () => {
    const columns = HEADER.split(',').toReversed();
    const text = [columns, columns.map((column) => CELLS[column as keyof typeof CELLS])].map((cells) => cells.join(',')).join('\n');
    expect(parseProductFile(Buffer.from(text)).rows).toEqual([ROW]);
  });

  it('leaves options and prices out that are not there', () => {
    const { rows } = parse(line({ option1_name: '', option1_value: '', price_usd: '', category: '' }));
    expect(rows[0]).toMatchObject({ options: {}, prices: { KRW: 28_000 }, category: '' });
    expect(parse(line({ option2_name: 'size', option2_value: 'M' })).rows[0]?.options).toEqual({ color: 'Ivory', size: 'M' });
  });

  it('counts lines as an editor does, over quoted line breaks and empty lines', () => {
    const { rows, errors } = parse(line({ description_ko: '"a\nb\r\nc"' }), '', line({ sku: 'T-2' }), line({ stock: 'x' }), line({ sku: 'T-3' }));
    expect(rows.map((row) => row.line)).toEqual([2, 6, 8]);
    expect(errors.map((error) => error.line)).toEqual([7]);
  });

  it.each<[keyof typeof CELLS, string]>([
    ['price_krw', '12.5'], ['price_krw', '-1'], ['price_krw', '1e3'], ['price_krw', '"1,000"'], ['price_krw', '₩1000'], ['price_usd', '1.999'], ['price_usd', '.5'],
    ['stock', '-1'], ['stock', '1.5'], ['stock', ''], ['stock', 'many'], ['stock', '1000000'],
    ['slug', 'Tumbler'], ['slug', ''], ['slug', 'a--b'], ['category', 'Kit chen'], ['sku', ''], ['sku', 'a b'], ['sku', '-A'],
    ['name_ko', ''], ['name_ko', 'x'.repeat(301)], ['name_en', 'x'.repeat(301)], ['description_en', 'x'.repeat(5_001)],
    ['status', 'archived'], ['status', ''], ['option1_value', ''], ['option1_name', ''], ['option1_name', 'x'.repeat(51)], ['option1_value', 'x'.repeat(101)],
    ['option2_name', 'size'], ['name_ko', 'a\0b'],
  ])('names line and column of a bad %s: %j', (column, value) => {
    const { rows, errors } = parse(line(), line({ sku: 'T-2', [column]: value }));
    expect(rows).toEqual([ROW]);
    const expected = column === 'option2_name' ? 'option2_value' : column;
    expect(errors).toEqual([{ line: 3, column: expected, reason: 'bad_value', message: expect.stringMatching(/\.$/) }]);
  });

  it('refuses the same option name twice', () => {
    expect(parse(line({ option2_name: 'color', option2_value: 'Navy' })).errors).toMatchObject([{ line: 2, column: 'option2_name' }]);
  });

  it('names every bad cell of every line', () => {
    const { errors } = parse(line({ stock: 'x', status: 'y' }), line({ slug: 'Z' }));
    expect(errors.map((error) => [error.line, error.column])).toEqual([[2, 'stock'], [2, 'status'], [3, 'slug']]);
  });

  it('names line and column of text that is not UTF-8', () => {
    const eucKr = Buffer.from([0xc5, 0xd2, 0xba, 0xed, 0xb7, 0xaf]);
    const [before, after] = line().split('텀블러') as [string, string];
    const content = Buffer.concat([Buffer.from(`${HEADER}\n${line()}\n${before}`), eucKr, Buffer.from(after)]);
    const { rows, errors } = parseProductFile(content);
    expect(rows).toEqual([ROW]);
    expect(errors).toMatchObject([{ line: 3, column: 'name_ko', reason: 'bad_encoding' }]);
  });

  it('names an encoding that is not even ASCII in its header', () => {
    const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(`${HEADER}\n${line()}`, 'utf16le')]);
    expect(parseProductFile(utf16)).toMatchObject({ rows: [], errors: [{ line: 1, column: null, reason: 'bad_encoding' }] });
  });

  it.each<[string, string, object]>([
    ['missing', HEADER.replace(',stock', ''), { column: 'stock', reason: 'missing_column' }],
    ['unknown', `${HEADER},colour`, { column: 'colour', reason: 'unknown_column' }],
    ['repeated', `${HEADER},sku`, { column: 'sku', reason: 'unknown_column' }],
  ])('names a %s column', (_, header, error) => {
    expect(parseProductFile(Buffer.from(`${header}\n${line()}`))).toMatchObject({ rows: [], errors: [{ line: 1, ...error }] });
  });

  it.each([['', 15], ['some words', 16]])('that is none (%j) misses every column', (text, count) => {
    expect(parseProductFile(Buffer.from(text)).errors).toHaveLength(count);
  });

  it('names a line with too few or too many cells', () => {
    expect(parse('tumbler,kitchen', line(), `${line()},more`).errors).toMatchObject([
      { line: 2, column: null, reason: 'wrong_cell_count' },
      { line: 4, column: null, reason: 'wrong_cell_count' },
    ]);
  });

  it('names the line of a quote that nothing ends', () => {
    expect(parse(line(), line({ name_ko: '"텀블러' }))).toMatchObject({ rows: [], errors: [{ line: 3, column: null, reason: 'bad_csv' }] });
  });

  it('that is the demo shop has no mistakes', () => {
    const { rows, errors } = parseProductFile(readFileSync('seed/products.csv'));
    expect(errors).toEqual([]);
    expect(rows.length).toBeGreaterThan(500);
  });

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.string().map((text) => Buffer.from(`${HEADER}\n${text}`))), (bytes) => {
        const { rows, errors } = parseProductFile(Buffer.from(bytes));
        expect(rows.length + errors.length).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe('an exported product file', () => {
  const written = (name: string) => formatProductFile([{ ...ROW, name: { ko: name, en: '' } }]);

  it.each(['=1+1', '+82', '-5', '@SUM(A1)', "'=1", "''=1"])('guards %j against being run, and reads it back', (name) => {
    expect(written(name)).toContain(`,'${name},`);
    expect(parseProductFile(Buffer.from(written(name))).rows[0]?.name.ko).toBe(name);
  });

  it.each(["'quoted'", "it's", 'a=b', "'"])('leaves %j as it is', (name) => {
    expect(written(name)).toContain(`,${name},`);
    expect(parseProductFile(Buffer.from(written(name))).rows[0]?.name.ko).toBe(name);
  });

  it('refuses a product with more options than there are columns', () => {
    expect(() => formatProductFile([{ ...ROW, options: { a: '1', b: '2', c: '3' } }])).toThrow(expect.objectContaining({ reason: 'not_exportable' }));
  });

  it('gives the same rows when read again', () => {
    const text = (maxLength: number, minLength = 0) =>
      fc
        .array(fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...Array.from(`'"=+-@,;\n\r\t 한글éA1`)) }, fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 })), { maxLength: 30 })
        .map((parts) => parts.join('').replaceAll(/(?![\t\n\r])\p{Cc}/gu, '').trim().slice(0, maxLength).trim().toWellFormed())
        .filter((value) => value.length >= minLength);
    const option = fc.tuple(text(50, 1).filter((name) => !/^\d+$/.test(name) && name !== '__proto__'), text(100, 1));
    const rows = fc.array(
      fc.record({
        slug: fc.stringMatching(/^[a-z0-9]{1,9}(-[a-z0-9]{1,9}){0,2}$/),
        category: fc.constantFrom('', 'kitchen', 'home-living'),
        name: fc.record({ ko: text(300, 1), en: text(300) }),
        description: fc.record({ ko: text(5_000), en: text(5_000) }),
        options: fc.uniqueArray(option, { maxLength: 2, selector: ([name]) => name }).map((pairs) => Object.fromEntries(pairs)),
        sku: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/),
        prices: fc.record({ KRW: fc.nat(1_000_000_000), USD: fc.nat(1_000_000_000) }, { requiredKeys: [], noNullPrototype: true }),
        stock: fc.nat(999_999),
        state: fc.constantFrom('draft' as const, 'published' as const),
      }),
    );
    fc.assert(
      fc.property(rows, (list) => {
        const { rows: again, errors } = parseProductFile(Buffer.from(formatProductFile(list)));
        expect(errors).toEqual([]);
        expect(again).toEqual(list.map((row) => ({ ...row, line: expect.any(Number) })));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a category file', () => {
  const parseCategories = (...lines: string[]) => parseCategoryFile(Buffer.from(['slug,parent,name_ko,name_en,position', ...lines].join('\n')));

  it('is one category per line', () => {
    expect(parseCategories('kitchen,,주방,Kitchen,1', 'drinkware,kitchen,컵·물병,,2')).toEqual({
      rows: [
        { line: 2, slug: 'kitchen', parent: '', name: { ko: '주방', en: 'Kitchen' }, position: 1 },
        { line: 3, slug: 'drinkware', parent: 'kitchen', name: { ko: '컵·물병', en: '' }, position: 2 },
      ],
      errors: [],
    });
  });

  it.each([
    ['Kitchen,,주방,,1', 'slug'],
    ['kitchen,No,주방,,1', 'parent'],
    ['kitchen,,,,1', 'name_ko'],
    ['kitchen,,주방,,', 'position'],
    ['kitchen,,주방,,10001', 'position'],
  ])('names the bad cell of %s', (text, column) => expect(parseCategories(text).errors).toMatchObject([{ line: 2, column }]));

  it('that is the demo shop has no mistakes', () => expect(parseCategoryFile(readFileSync('seed/categories.csv')).errors).toEqual([]));
});
