import { createHash } from 'node:crypto';
import { type CategoryDraft, catalogContract, type ImportReport } from '../modules/catalog/contract.ts';
import { inventoryContract } from '../modules/inventory/contract.ts';
import type { Kerf } from '../composition.ts';
import { newId } from '../shared/ids.ts';
import { parseCategoryFile, parseProductFile, type ProductFileRow } from './product-file.ts';

export interface FileReport {
  created: number;
  updated: number;
  unchanged: number;
  errors: { line: number; reason: string; message: string }[];
}

/** Most entries of one stock adjustment (inventory's contract). */
const ADJUSTMENTS_AT_ONCE = 2_000;

/**
 * Loads a product file into catalogue and inventory: all rows, or with any error none. The `stock` column counts the
 * pieces that come with a variant when it is first seen; what inventory knows already is left alone, so a second run
 * changes nothing. A run that died between the two is completed by the next.
 */
export async function importProducts(kerf: Kerf, content: Buffer, { dryRun }: { dryRun: boolean }): Promise<FileReport> {
  const { rows, errors } = parseProductFile(content);
  if (errors.length > 0) return { created: 0, updated: 0, unchanged: 0, errors };
  const report = await kerf.service(catalogContract).importProducts({ rows: rows.map(withoutStock), dryRun });
  if (report.errors.length === 0 && !dryRun) await receiveFirstStock(kerf, rows, report.variants);
  return report;
}

const withoutStock = ({ stock: _stock, ...row }: ProductFileRow) => row;

async function receiveFirstStock(kerf: Kerf, rows: { sku: string; stock: number }[], variants: ImportReport['variants']): Promise<void> {
  const inventory = kerf.service(inventoryContract);
  const stocked = rows.filter(({ stock }) => stock > 0).map(({ sku, stock }) => ({ variantId: variants[sku]!, delta: stock }));
  for (const batch of batches(stocked, ADJUSTMENTS_AT_ONCE)) {
    const known = new Set<string>();
    for (const ids of batches(batch.map(({ variantId }) => variantId), 500)) {
      const { levels } = await inventory.getLevels({ variantIds: ids });
      for (const level of levels) if (level.version > 0) known.add(level.variantId);
    }
    const adjustments = batch
      .filter(({ variantId }) => !known.has(variantId))
      .map((entry) => ({ ...entry, kind: 'received' as const, note: 'first stock from import' }));
    if (adjustments.length === 0) continue;
    const digest = createHash('sha256').update(JSON.stringify(adjustments)).digest('hex').slice(0, 32);
    await inventory.adjust({ adjustmentId: `import ${digest}`, adjustments });
  }
}

/** Loads a category file, parents first, all rows or none. Categories are found again by slug; those that are there stay as they are. */
export async function importCategories(kerf: Kerf, content: Buffer, { dryRun }: { dryRun: boolean }): Promise<FileReport> {
  const catalog = kerf.service(catalogContract);
  const { rows, errors } = parseCategoryFile(content);
  const { categories } = await catalog.listCategories({});
  const ids = new Map(categories.map(({ slug, id }) => [slug, id]));
  const drafts: { id: string; draft: { slug: string; name: CategoryDraft['name']; parentId: string | null; position: number } }[] = [];
  const report: FileReport = { created: 0, updated: 0, unchanged: 0, errors: [...errors] };
  for (const { line, slug, parent, name, position } of rows) {
    const parentId = parent === '' ? null : ids.get(parent);
    if (parentId === undefined) report.errors.push({ line, reason: 'unknown_category', message: `There is no category "${parent}" above this line.` });
    else if (ids.has(slug)) report.unchanged += 1;
    else {
      const id = newId();
      ids.set(slug, id);
      drafts.push({ id, draft: { slug, name, parentId, position } });
    }
  }
  if (report.errors.length > 0) return report;
  if (!dryRun) for (const category of drafts) await catalog.createCategory(category);
  return { ...report, created: drafts.length };
}

function* batches<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
