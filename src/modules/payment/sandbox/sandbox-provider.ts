import { transaction } from '../../../shared/database.ts';
import { newId } from '../../../shared/ids.ts';
import type { Money } from '../../../shared/money.ts';
import type { ModuleContext } from '../../../shared/module.ts';
import type { Answer, Authorization, CallOptions, Charge, ChargeOperation, PaymentProvider } from '../provider.ts';
import { approved, declined, factsOf, judge, phaseOf, type SandboxOperation, TEST_TOKENS, verdictOn } from './sandbox-charge.ts';
import {
  decideCharge,
  findCharge,
  findChargeOfKey,
  findChargeOfPayment,
  findOperations,
  insertCharge,
  insertOperation,
  lockCharge,
  type StoredCharge,
} from './sandbox-repository.ts';
import { createSandboxWebhooks, type Notice } from './sandbox-webhooks.ts';

export interface SandboxOptions {
  /** seconds until a late verdict is there and told */
  lateAfter: number;
}

export interface Sandbox extends PaymentProvider {
  /** what the shopper is asked to decide, or was; undefined for anything else */
  findAction(reference: string): Promise<{ amount: Money; decided: boolean } | undefined>;
  completeAction(reference: string, approve: boolean): Promise<{ approved: boolean } | undefined>;
  jobs: Record<string, (data: never) => Promise<void>>;
}

const WEBHOOK = 'sandbox-webhook';
/** Charges that wait for the shopper are told apart by their reference: the page is theirs alone. */
const ACTION = 'sbx_action_';
const CHARGE = 'sbx_charge_';

/**
 * A payment company in a box, for development and tests. It keeps books of its own, reached by the files of this folder only
 * and never in a transaction of the payments; it is idempotent by key, and sends signed webhooks.
 */
export function createSandbox(
  { db, queue, now, settings }: Pick<ModuleContext, 'db' | 'queue' | 'now' | 'settings'>,
  { lateAfter }: SandboxOptions,
): Sandbox {
  const webhooks = createSandboxWebhooks({ settings, now });

  return {
    name: 'sandbox',
    description: 'A simulated provider: no money moves. Its tokens decide what happens.',
    testTokens: TEST_TOKENS,

    async authorize(request, { idempotencyKey, signal }) {
      const opened = await open(request, idempotencyKey);
      const charge = opened ?? (await findChargeOfKey(db, idempotencyKey));
      if (request.token === 'sandbox_timeout') await ended(signal);
      return charge && !signal.aborted ? known(charge, opened && []) : { outcome: 'unknown' };
    },
    capture: (request, options) => operate('capture', request, options),
    void: (request, options) => operate('void', request, options),
    refund: (request, options) => operate('refund', request, options),

    async readState({ paymentId }) {
      const charge = await findChargeOfPayment(db, paymentId);
      return charge ? known(charge) : { outcome: 'absent' };
    },

    verifyWebhook({ headers, rawBody }) {
      const notice = webhooks.verify(headers, rawBody);
      return notice && { eventId: notice.id, reference: notice.reference };
    },

    async findAction(reference) {
      const charge = reference.startsWith(ACTION) ? await findCharge(db, reference) : undefined;
      return charge && { amount: { amount: charge.amount, currency: charge.currency }, decided: charge.verdict !== null };
    },

    completeAction: (reference, approve) =>
      transaction(db, async (trx) => {
        const charge = reference.startsWith(ACTION) ? await lockCharge(trx, reference) : undefined;
        if (!charge) return undefined;
        if (charge.verdict !== null) return { approved: charge.verdict === 'approved' };
        await decideCharge(trx, reference, approve ? approved(now()) : declined('action_refused', now()));
        await queue.enqueue(trx, WEBHOOK, noticeOf(reference));
        return { approved: approve };
      }),

    jobs: { [WEBHOOK]: (notice: Notice) => webhooks.deliver(notice) },
  };

  /** The charge, unless the key was used before. Late verdicts are told when their time has come. */
  async function open(request: Authorization, idempotencyKey: string): Promise<StoredCharge | undefined> {
    const { paymentId, operationId, amount, token, capture } = request;
    const createdAt = now();
    const reference = `${token === 'sandbox_action' ? ACTION : CHARGE}${newId()}`;
    const verdict = verdictOn(token, createdAt, new Date(createdAt.getTime() + lateAfter * 1_000));
    const charge = { reference, idempotencyKey, paymentId, operationId, ...amount, capture, ...verdict, createdAt };
    if (phaseOf(charge, createdAt) !== 'processing') return insertCharge(db, charge);
    return transaction(db, async (trx) => {
      const inserted = await insertCharge(trx, charge);
      if (inserted) await queue.enqueue(trx, WEBHOOK, noticeOf(reference), { startAfter: lateAfter });
      return inserted;
    });
  }

  async function operate(kind: SandboxOperation['kind'], { reference, operationId, amount }: ChargeOperation, { idempotencyKey }: CallOptions): Promise<Answer> {
    const at = now();
    const charge = await transaction(db, async (trx) => {
      const found = await lockCharge(trx, reference);
      if (!found) return undefined;
      const operations = await findOperations(trx, reference);
      if (operations.some((operation) => operation.idempotencyKey === idempotencyKey)) return found;
      const judgement = judge(found, operations, { kind, amount: amount.amount }, at);
      await insertOperation(trx, { ...judgement, reference: `sbx_${kind}_${newId()}`, charge: reference, kind, operationId, idempotencyKey, at });
      if (kind !== 'void' || found.verdict !== null) return found;
      const stopped = declined('voided', at);
      await decideCharge(trx, reference, stopped);
      return { ...found, ...stopped };
    });
    return charge ? known(charge) : { outcome: 'declined', reason: 'no_such_charge' };
  }

  async function known(charge: StoredCharge, operations?: readonly SandboxOperation[]): Promise<{ outcome: 'known'; charge: Charge }> {
    const at = now();
    const facts = factsOf(charge, operations ?? (await findOperations(db, charge.reference)), at);
    const isWaiting = phaseOf(charge, at) === 'requires_action';
    const nextActionUrl = isWaiting ? `${settings.publicUrl}/v1/sandbox/actions/${charge.reference}` : null;
    return { outcome: 'known', charge: { reference: charge.reference, at, nextActionUrl, facts } };
  }
}

const noticeOf = (reference: string): Notice => ({ id: `evt_${reference}`, reference });

const ended = (signal: AbortSignal): Promise<void> =>
  signal.aborted ? Promise.resolve() : new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
