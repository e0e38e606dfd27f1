import type { Result } from './run.ts';

const MARK = { good: '✓', bad: '✗' };
/** Characters of one value in the report. */
const WIDTH = 400;

/** One case as lines of the report: what went wrong with what was sent, expected and answered. */
export function linesOf({ name, milliseconds, failure }: Result): string[] {
  if (!failure) return [`  ${MARK.good} ${name}${milliseconds > 1_000 ? ` (${(milliseconds / 1_000).toFixed(1)} s)` : ''}`];
  const { sentence, sent, token, expected, answered } = failure;
  const facts = { sent, token, expected, answered };
  return [
    `  ${MARK.bad} ${name}`,
    `      ${sentence}`,
    ...Object.entries(facts).filter(([, value]) => value !== undefined).map(([what, value]) => `      ${what.padEnd(9)} ${short(value)}`),
  ];
}

function short(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > WIDTH ? `${text.slice(0, WIDTH)}… (${text.length} characters)` : text;
}

/** What the kit did not look at, in sentences; empty: nothing. */
export function unseenOf(module: string, { suite, left }: { suite: boolean; left: number }): string {
  const sentences = [
    ...(suite ? [] : [`Only the protocol is looked at: there is no suite for ${module}.`]),
    ...(left === 0 ? [] : [`What it does is not looked at: ${left} cases that write test data are left out (--writes).`]),
  ];
  return sentences.map((sentence) => ` ${sentence}`).join('');
}

export function summaryOf(results: readonly Result[], unseen: string): string {
  const failed = results.filter(({ failure }) => failure).length;
  const cases = `${results.length} ${results.length === 1 ? 'case' : 'cases'}`;
  return failed === 0 ? `${MARK.good} ${cases}, all as the contract says.${unseen}` : `${MARK.bad} ${failed} of ${cases} not as the contract says.`;
}
