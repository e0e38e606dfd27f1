/** What modules may know of the configuration. config.ts reads it from the environment; tests write it down. */
export interface Settings {
  /** address under which clients reach the public API, without a slash at the end */
  publicUrl: string;
  /** at least 32 characters; the root of every key that is derived (ids.ts `deriveKey`) */
  secret: string;
  /** IANA zone in which the shop's dates without a time are meant, like Asia/Seoul */
  timeZone: string;
  /** minutes an order may wait for its payment before it expires */
  paymentWindowMinutes: number;
  /** sends a mail; resolves when it was handed over */
  sendMail: (mail: { to: string; subject: string; text: string }) => Promise<void>;
  /** the sandbox payment provider is offered (never in production) */
  sandboxPayments: boolean;
}
