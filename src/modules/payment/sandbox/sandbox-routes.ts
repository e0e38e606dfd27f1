import { z } from 'zod';
import { type Route, route } from '../../../shared/http.ts';
import type { Payments } from '../contract.ts';
import { actionPage, PAGE_HEADERS } from './action-page.ts';

const Action = z.strictObject({ reference: z.string().min(1).max(200) });

/** Stands for the company's own pages: what the shopper meets behind `nextAction.url`. */
export function sandboxRoutes(payments: Payments): Route[] {
  return [
    route({
      method: 'get',
      path: '/sandbox/actions/{reference}',
      operationId: 'showSandboxAction',
      tag: 'sandbox',
      summary: 'Page on which a shopper approves or refuses a sandbox payment',
      description: 'HTML, for a browser. Its address is `nextAction.url` of a payment with the token `sandbox_action`.',
      access: 'anyone',
      params: Action,
      responses: { 200: { description: 'The page' } },
      handle: async ({ params }) => ({ body: actionPage(await payments.getSandboxAction(params)), headers: PAGE_HEADERS }),
    }),
    route({
      method: 'post',
      path: '/sandbox/actions/{reference}',
      operationId: 'completeSandboxAction',
      tag: 'sandbox',
      summary: 'Approve or refuse a sandbox payment',
      description: 'The first decision counts; later ones answer what it was. The shop hears of it by a webhook.',
      access: 'anyone',
      params: Action,
      body: z.strictObject({ approve: z.boolean() }).meta({ example: { approve: true } }),
      responses: { 200: { description: 'What was decided', schema: z.object({ approved: z.boolean() }) } },
      handle: async ({ params, body }) => ({ body: await payments.completeSandboxAction({ ...params, ...body }) }),
    }),
  ];
}
