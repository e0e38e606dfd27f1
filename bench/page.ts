import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './shop.ts';

/** Puts what a bench has to say into docs/performance.md, in place of what it said before. */
export function writePage(begin: string, end: string, said: string): void {
  const page = join(ROOT, 'docs/performance.md');
  const [before, rest] = readFileSync(page, 'utf8').split(`${begin}\n`);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`docs/performance.md has no place for this: a line "${begin}" and behind it one "${end}".`);
  writeFileSync(page, `${before}${begin}\n${said}\n${end}${after}`);
}
