import { createHmac } from 'node:crypto';
import { request } from 'undici';
import { z } from 'zod';
import { deriveKey, sameSecret } from '../../../shared/ids.ts';
import type { ModuleContext } from '../../../shared/module.ts';

export const SIGNATURE_HEADER = 'sandbox-signature';
/** seconds that a signature may be old, or ahead of our clock */
const TOLERANCE = 300;
/** milliseconds */
const DELIVERY_DEADLINE = 5_000;

const Notice = z.object({ id: z.string().min(1).max(200), reference: z.string().min(1).max(200) });
export type Notice = z.infer<typeof Notice>;

/** The sandbox company's webhooks: real HTTP requests to the shop, signed over `timestamp.body`. */
export function createSandboxWebhooks({ settings, now }: Pick<ModuleContext, 'settings' | 'now'>) {
  const key = deriveKey(settings.secret, 'sandbox webhooks');
  const seconds = () => Math.floor(now().getTime() / 1_000);
  const digest = (timestamp: string, body: string) => createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex');
  const sign = (body: string) => {
    const timestamp = String(seconds());
    return `t=${timestamp},v1=${digest(timestamp, body)}`;
  };

  return {
    sign,

    /** The signed notice, or undefined when the signature is missing, wrong or too old. */
    verify(headers: Readonly<Record<string, string>>, rawBody: string): Notice | undefined {
      const [, timestamp = '', signature = ''] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(headers[SIGNATURE_HEADER] ?? '') ?? [];
      const isRecent = Math.abs(seconds() - Number(timestamp)) <= TOLERANCE;
      if (!isRecent || !sameSecret(signature, digest(timestamp, rawBody))) return undefined;
      return Notice.parse(JSON.parse(rawBody));
    },

    /** Throws unless the shop took it, and is tried again by the queue. */
    async deliver(notice: Notice): Promise<void> {
      const body = JSON.stringify(notice);
      const answer = await request(`${settings.publicUrl}/v1/webhooks/payments/sandbox`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', [SIGNATURE_HEADER]: sign(body) },
        body,
        signal: AbortSignal.timeout(DELIVERY_DEADLINE),
      });
      await answer.body.dump();
      if (answer.statusCode >= 300) throw new Error(`The shop answered a sandbox webhook with ${answer.statusCode}.`);
    },
  };
}
