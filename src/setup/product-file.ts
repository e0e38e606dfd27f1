import { invalid } from '../shared/errors.ts';
import { type Currency, formatAmount, parseAmount } from '../shared/money.ts';
import { type ImportRow, LongText, type Options, type Prices, Sku, Slug, Text } from '../modules/catalog/contract.ts';
import { type FileError, readTable, type TableRecord, writeTable } from './csv-table.ts';

const PRODUCT_COLUMNS = [
  'slug', 'category', 'name_ko', 'name_en', 'description_ko', 'description_en',
  'option1_name', 'option1_value', 'option2_name', 'option2_value', 'sku', 'price_krw', 'price_usd', 'stock', 'status',
] as const;
const CATEGORY_COLUMNS = ['slug', 'parent', 'name_ko', 'name_en', 'position'] as const;
type ProductColumn = (typeof PRODUCT_COLUMNS)[number];
type CategoryColumn = (typeof CATEGORY_COLUMNS)[number];

/** A variant with its product, and the pieces on hand when it is new. `stock` is no part of what the catalogue imports. */
export type ProductFileRow = ImportRow & { stock: number };

export interface CategoryFileRow {
  line: number;
  slug: string;
  /** slug, or empty at the top */
  parent: string;
  name: Text;
  position: number;
}

/** Reads a product file (UTF-8 CSV, one line per variant). Lines with an error are not among the rows. */
export function parseProductFile(content: Buffer): { rows: ProductFileRow[]; errors: FileError[] } {
  return parseFile(content, PRODUCT_COLUMNS, readProductRow);
}

/** Reads a category file (UTF-8 CSV, one line per category). Lines with an error are not among the rows. */
export function parseCategoryFile(content: Buffer): { rows: CategoryFileRow[]; errors: FileError[] } {
  return parseFile(content, CATEGORY_COLUMNS, readCategoryRow);
}

/**
 * The same format, for an export: parsing it gives the same rows. Prices other than KRW and USD have no column. Refuses
 * `not_exportable` for a product with more than two options.
 */
export const formatProductFile = (rows: readonly Omit<ProductFileRow, 'line'>[]): string =>
  writeTable(PRODUCT_COLUMNS, rows.map(cellsOf));

/** The value of a cell; `complain` says what is wrong with it. */
type ReadCell<Column> = <T>(column: Column, read: (text: string) => T | undefined, complaint: string) => T;

function parseFile<Column extends string, Row>(
  content: Buffer,
  columns: readonly Column[],
  readRow: (record: TableRecord<Column>, cell: ReadCell<Column>) => Row,
): { rows: Row[]; errors: FileError[] } {
  const { records, errors } = readTable(content, columns);
  const rows = records.flatMap((record) => {
    const complaints: FileError[] = [];
    const row = readRow(record, (column, read, complaint) => {
      const value = read(record.cells[column]);
      if (value === undefined) {
        const message = `"${record.cells[column].slice(0, 50)}" ${complaint}.`;
        complaints.push({ line: record.line, column, reason: 'bad_value', message });
      }
      return value!;
    });
    errors.push(...complaints);
    return complaints.length === 0 ? [row] : [];
  });
  return { rows, errors: errors.toSorted((a, b) => a.line - b.line) };
}

/** A reader for what a schema of the contract accepts. */
const fitting = <T>(schema: { safeParse(text: string): { data?: T } }) => (text: string) => schema.safeParse(text).data;

const IS_SLUG = 'must be lower-case letters and digits, joined by single hyphens';
const IS_NAME = 'must have 1 to 300 characters';

function readProductRow({ line, cells }: TableRecord<ProductColumn>, cell: ReadCell<ProductColumn>): ProductFileRow {
  return {
    line,
    slug: cell('slug', fitting(Slug), IS_SLUG),
    category: cell('category', optional(fitting(Slug)), `${IS_SLUG}, or empty`),
    name: { ko: cell('name_ko', fitting(Text.shape.ko), IS_NAME), en: cell('name_en', fitting(Text.shape.en), 'must have at most 300 characters') },
    description: {
      ko: cell('description_ko', fitting(LongText.shape.ko), 'must have at most 5000 characters'),
      en: cell('description_en', fitting(LongText.shape.en), 'must have at most 5000 characters'),
    },
    options: readOptions(cells, cell),
    sku: cell('sku', fitting(Sku), 'must be 1 to 64 letters, digits, dots, hyphens or underscores'),
    prices: { ...readPrice('KRW', 'price_krw', cell), ...readPrice('USD', 'price_usd', cell) },
    stock: cell('stock', wholeNumber(999_999), 'must be a whole number from 0 to 999999'),
    state: cell('status', (text) => (text === 'draft' || text === 'published' ? text : undefined), 'must be draft or published'),
  };
}

function readOptions(cells: Record<ProductColumn, string>, cell: ReadCell<ProductColumn>): Options {
  const pairs = (['option1', 'option2'] as const).flatMap((option) => {
    const [name, value] = [cells[`${option}_name`], cells[`${option}_value`]];
    if (name === '' && value === '') return [];
    cell(`${option}_name`, within(50), 'must have 1 to 50 characters where there is a value');
    cell(`${option}_value`, within(100), 'must have 1 to 100 characters where there is a name');
    return [[name, value] as const];
  });
  cell('option2_name', (name) => (pairs.length === 2 && name === pairs[0]?.[0] ? undefined : name), 'must differ from the first option');
  return Object.fromEntries(pairs);
}

function readPrice(currency: Currency, column: ProductColumn, cell: ReadCell<ProductColumn>): Prices {
  const price = (text: string): Prices | undefined => {
    try {
      return text === '' ? {} : { [currency]: parseAmount(text, currency) };
    } catch {
      return undefined;
    }
  };
  return cell(column, price, `is not a price in ${currency}`);
}

const readCategoryRow = ({ line }: TableRecord<CategoryColumn>, cell: ReadCell<CategoryColumn>): CategoryFileRow => ({
  line,
  slug: cell('slug', fitting(Slug), IS_SLUG),
  parent: cell('parent', optional(fitting(Slug)), `${IS_SLUG}, or empty`),
  name: { ko: cell('name_ko', fitting(Text.shape.ko), IS_NAME), en: cell('name_en', fitting(Text.shape.en), 'must have at most 300 characters') },
  position: cell('position', wholeNumber(10_000), 'must be a whole number from 0 to 10000'),
});

const optional = (read: (text: string) => string | undefined) => (text: string) => (text === '' ? '' : read(text));
const within = (most: number) => (text: string) => (text.length >= 1 && text.length <= most ? text : undefined);
const wholeNumber = (most: number) => (text: string) => (/^\d{1,6}$/.test(text) && Number(text) <= most ? Number(text) : undefined);

function cellsOf(row: Omit<ProductFileRow, 'line'>): Record<ProductColumn, string> {
  const [first = ['', ''], second = ['', ''], third] = Object.entries(row.options);
  if (third) throw invalid('not_exportable', `${row.slug} has more options than a product file has columns for.`);
  return {
    slug: row.slug,
    category: row.category,
    name_ko: row.name.ko,
    name_en: row.name.en,
    description_ko: row.description.ko,
    description_en: row.description.en,
    option1_name: first[0],
    option1_value: first[1],
    option2_name: second[0],
    option2_value: second[1],
    sku: row.sku,
    price_krw: priceCell(row.prices, 'KRW'),
    price_usd: priceCell(row.prices, 'USD'),
    stock: String(row.stock),
    status: row.state,
  };
}

const priceCell = (prices: Prices, currency: Currency) => {
  const amount = prices[currency];
  return amount === undefined ? '' : formatAmount(amount, currency);
};
