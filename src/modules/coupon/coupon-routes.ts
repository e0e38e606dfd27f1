import { z } from 'zod';
import { etag, page, PageQuery, type Route, route } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import { Code, type Coupon, Promotion, PromotionDraft } from './contract.ts';

const OnePromotion = z.strictObject({ promotionId: Id });
const INCONSISTENT = { 400: ['promotion_inconsistent'], 409: ['code_taken'] };

/** Staff's side. Shoppers enter codes on their cart, which is the order module's. */
export function couponRoutes(coupon: Coupon): Route[] {
  return [
    route({
      method: 'post',
      path: '/admin/promotions',
      operationId: 'createPromotion',
      tag: 'admin',
      summary: 'Create a promotion with its codes',
      description: 'Without codes it is automatic: it takes part in every basket, under the same rules.',
      access: 'staff',
      idempotency: 'edge',
      body: PromotionDraft,
      responses: { 201: { description: 'The promotion', schema: Promotion } },
      problems: INCONSISTENT,
      async handle({ operationId, body }) {
        const promotion = await coupon.createPromotion({ id: operationId, draft: body });
        return { body: promotion, headers: { ...etag(promotion.version), location: `/v1/admin/promotions/${promotion.id}` } };
      },
    }),
    route({
      method: 'get',
      path: '/admin/promotions',
      operationId: 'listPromotions',
      tag: 'admin',
      summary: 'List promotions, newest first',
      access: 'staff',
      query: PageQuery.extend({ code: Code.optional().meta({ description: 'only the promotion that this code belongs to' }) }),
      responses: { 200: { description: 'Promotions', schema: page(Promotion) } },
      problems: { 400: ['invalid_cursor'] },
      handle: async ({ query }) => ({ body: await coupon.listPromotions(query) }),
    }),
    route({
      method: 'get',
      path: '/admin/promotions/{promotionId}',
      operationId: 'getPromotion',
      tag: 'admin',
      summary: 'Get a promotion',
      access: 'staff',
      params: OnePromotion,
      responses: { 200: { description: 'The promotion', schema: Promotion } },
      async handle({ params: { promotionId } }) {
        const promotion = await coupon.getPromotion({ id: promotionId });
        return { body: promotion, headers: etag(promotion.version) };
      },
    }),
    route({
      method: 'put',
      path: '/admin/promotions/{promotionId}',
      operationId: 'updatePromotion',
      tag: 'admin',
      summary: 'Replace a promotion',
      description: 'Codes that are not named any more are free for others. What orders were granted stays as it was granted.',
      access: 'staff',
      params: OnePromotion,
      ifMatch: true,
      body: PromotionDraft,
      responses: { 200: { description: 'The promotion afterwards', schema: Promotion } },
      problems: INCONSISTENT,
      async handle({ params: { promotionId }, version, body }) {
        const promotion = await coupon.updatePromotion({ id: promotionId, version, draft: body });
        return { body: promotion, headers: etag(promotion.version) };
      },
    }),
  ];
}
