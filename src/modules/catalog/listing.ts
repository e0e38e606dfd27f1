import type { Text } from './contract.ts';
import type { CatalogProduct } from './product.ts';
import { isSame } from './same.ts';
import { charactersOf, pairsOf, searchLines, shortWordMarks, squeeze, wordLines } from './search-text.ts';

/** What names are sorted by; short enough that a cursor with it fits in a query. */
const NAME_KEY_LENGTH = 60;

/** What lists are searched and sorted by. Each text begins and ends with a newline and has one between its lines. */
export interface Listing {
  productId: string;
  nameKey: string;
  nameText: string;
  /** category names, option values, SKUs */
  factsText: string;
  descriptionText: string;
  grams: string[];
}

/** `categoryNames`: of the product's category and all above it. */
export function listingOf(product: CatalogProduct, categoryNames: readonly Text[]): Listing {
  const names = [product.name.ko, product.name.en];
  const facts = [
    ...categoryNames.flatMap(({ ko, en }) => [ko, en]),
    ...product.variants.flatMap(({ sku, options }) => [sku, ...Object.values(options)]),
  ];
  const nameLines = searchLines(names);
  const factLines = searchLines(facts);
  const descriptionLines = wordLines([product.description.ko, product.description.en]);
  const grams = [
    ...[...nameLines, ...factLines].flatMap(charactersOf),
    ...[...nameLines, ...factLines, ...descriptionLines].flatMap(pairsOf),
    ...shortWordMarks([...names, ...facts]),
  ];
  return {
    productId: product.id,
    nameKey: charactersOf(squeeze(product.name.ko)).slice(0, NAME_KEY_LENGTH).join(''),
    nameText: joined(nameLines),
    factsText: joined(factLines),
    descriptionText: joined(descriptionLines),
    grams: [...new Set(grams)].toSorted(),
  };
}

/** True when nothing that a listing is made of differs. */
export function isListedAlike(before: CatalogProduct, after: CatalogProduct): boolean {
  const listed = ({ name, description, categoryId, variants }: CatalogProduct) => ({
    name,
    description,
    categoryId,
    variants: variants.map(({ sku, options }) => ({ sku, options })),
  });
  return isSame(listed(before), listed(after));
}

const joined = (lines: readonly string[]) => ['', ...lines, ''].join('\n');
