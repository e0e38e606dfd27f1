import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const SplitShop = z.object({ publicUrl: z.string() });

/** What a split Kerf leaves in its data directory, by which every later start and command finds the same shop. */
export type SplitShop = z.infer<typeof SplitShop>;

export const splitShopFile = (directory: string) => join(directory, 'split.json');

/** Undefined where no Kerf was split: all modules are in one database of the embedded server. */
export function readSplitShop(directory: string): SplitShop | undefined {
  try {
    return SplitShop.parse(JSON.parse(readFileSync(splitShopFile(directory), 'utf8')));
  } catch {
    return undefined;
  }
}

export const writeSplitShop = (directory: string, shop: SplitShop) => writeFile(splitShopFile(directory), `${JSON.stringify(shop)}\n`, { mode: 0o600 });

/** The database of a module, or of the edge, in a split shop. */
export const splitDatabase = (module: string) => `kerf_${module}`;

/** The same server's other database. */
export function splitDatabaseUrl(adminUrl: string, module: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${splitDatabase(module)}`;
  return url.toString();
}
