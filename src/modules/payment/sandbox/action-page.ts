import { createHash } from 'node:crypto';
import { formatAmount, type Money } from '../../../shared/money.ts';

const STYLE = `body { font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 15vh auto; padding: 0 1rem; text-align: center }
button { font: inherit; padding: .5rem 1.5rem; margin: .5rem; cursor: pointer }`;

const SCRIPT = `const say = (text) => { document.querySelector('main').textContent = text };
for (const button of document.querySelectorAll('button')) button.onclick = async () => {
  const body = JSON.stringify({ approve: button.value === 'yes' });
  const answer = await fetch(location.pathname, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  if (!answer.ok) return say('That did not work. Reload the page and try again.');
  say((await answer.json()).approved ? 'Approved. You can go back to the shop.' : 'Refused. You can go back to the shop.');
};`;

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** The page may run its own script and style, ask its own origin, and nothing else. */
export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': `default-src 'none'; script-src ${hashOf(SCRIPT)}; style-src ${hashOf(STYLE)}; connect-src 'self'; frame-ancestors 'none'`,
};

/** Where the shopper of a `sandbox_action` payment decides; complete in itself. */
export function actionPage({ amount, decided }: { amount: Money; decided: boolean }): string {
  const sum = `${formatAmount(amount.amount, amount.currency)} ${amount.currency}`;
  const question = `<p>Pay <strong>${sum}</strong>?</p>
<button value="yes">Approve</button><button value="no">Refuse</button>`;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Sandbox payment</title>
<style>${STYLE}</style></head>
<body><h1>Sandbox payment</h1><main>${decided ? '<p>This payment is decided. You can go back to the shop.</p>' : question}</main>
<script>${SCRIPT}</script></body>
</html>
`;
}
