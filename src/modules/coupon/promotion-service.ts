import { z } from 'zod';
import { transaction, type Transaction } from '../../shared/database.ts';
import { conflict, notFound } from '../../shared/errors.ts';
import { CursorInstant, encodeCursor, readCursor } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { type Coupon, type Promotion, PromotionDraft } from './contract.ts';
import { assertConsistent, assertStillBrought, windowOf } from './promotion.ts';
import { addPromotion, findPromotion, listPromotions, replaceCodes, replacePromotion, type Writing } from './promotion-repository.ts';

/** What staff do. */
export function createPromotionService({
  db, now, settings,
}: ModuleContext): Pick<Coupon, 'createPromotion' | 'updatePromotion' | 'getPromotion' | 'listPromotions'> {
  const written = (id: string, input: z.input<typeof PromotionDraft>): Writing => {
    const draft = PromotionDraft.parse(input);
    const window = windowOf(draft, settings.timeZone);
    assertConsistent(draft, window);
    return { id, draft, window };
  };
  const get = async (db: Transaction | ModuleContext['db'], id: string): Promise<Promotion> => {
    const promotion = await findPromotion(db, id, now());
    if (!promotion) throw notFound('promotion');
    return promotion;
  };

  return {
    async createPromotion({ id, draft }) {
      const promotion = written(id, draft);
      return transaction(db, async (trx) => {
        if (await addPromotion(trx, promotion, now())) await putCodes(trx, promotion);
        return get(trx, id);
      });
    },

    async updatePromotion({ id, version, draft }) {
      const promotion = written(id, draft);
      return transaction(db, async (trx) => {
        const before = await get(trx, id);
        assertStillBrought(before, promotion.draft);
        if (!(await replacePromotion(trx, promotion, version))) throw versionMismatch(before);
        await putCodes(trx, promotion);
        return get(trx, id);
      });
    },

    getPromotion: ({ id }) => get(db, id),

    async listPromotions({ code, cursor, limit }) {
      const after = cursor === undefined ? undefined : positionOf(cursor);
      const found = await listPromotions(db, { code, after, limit: limit + 1, now: now() });
      const items = found.slice(0, limit);
      const last = found.length > limit ? items.at(-1) : undefined;
      return { items, nextCursor: last ? encodeCursor([last.createdAt, last.id]) : null };
    },
  };
}

async function putCodes(trx: Transaction, { id, draft: { codes } }: Writing): Promise<void> {
  const taken = await replaceCodes(trx, id, codes);
  if (taken.length > 0) throw conflict('code_taken', `The code ${taken[0]} belongs to another promotion.`, { codes: taken });
}

const versionMismatch = ({ version }: Promotion) =>
  conflict('version_mismatch', 'The promotion was changed in the meantime.', { version });

const PageKey = z.tuple([CursorInstant, Id]);

function positionOf(cursor: string): { createdAt: string; id: string } {
  const [createdAt, id] = readCursor(PageKey, cursor);
  return { createdAt, id };
}
