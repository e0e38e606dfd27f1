import { currentTransaction, type Database } from '../../src/shared/database.ts';
import { tokensOf } from '../../src/shared/sql-tokens.ts';
import { type SeenStatement, watchStatements } from '../../src/shared/statements.ts';
import { SCHEMAS } from './constants.ts';

/** Which transaction a flow has open: the first one it began. */
const openedBy = new WeakMap<object, { module: string; transaction: string }>();

/**
 * Refuses, before it is sent, every statement of this pool that names another module's schema, and every one that would
 * make a transaction span two modules or leave the one it belongs to. The answer throws the first refusal again: call it
 * at the end, for what some `catch` has swallowed.
 */
export function guardStatements(db: Database, module: string): () => void {
  const refusals: Error[] = [];
  watchStatements(db, { module, modules: SCHEMAS }, (statement) => {
    const wrong = namesForeignSchema(statement) ?? leavesTransaction(statement, module);
    if (!wrong) return;
    const refusal = new Error(`${module} ${wrong} The statement: ${statement.text}`);
    refusals.push(refusal);
    throw refusal;
  });
  return () => {
    if (refusals[0]) throw refusals[0];
  };
}

const namesForeignSchema = ({ foreign }: SeenStatement): string | undefined =>
  foreign.length === 0
    ? undefined
    : `names the schema ${foreign.join(', ')}, which is not its own: ask that module by its contract, or keep what you need, fed by its events.`;

function leavesTransaction({ text, transaction }: SeenStatement, module: string): string | undefined {
  const flow = currentTransaction();
  if (!flow) {
    return transaction || opensTransaction(text) ? 'opens a transaction by itself: use transaction() of shared/database.ts, which nobody can nest.' : undefined;
  }
  const opened = openedBy.get(flow);
  if (transaction && !opened) openedBy.set(flow, { module, transaction });
  if (transaction && (!opened || opened.transaction === transaction)) return undefined;
  if (opened?.module === module && SAVEPOINT.test(text)) return 'opens a transaction inside of its own, and transactions do not nest: do it in the one that is open.';
  if (opened && opened.module !== module) return `is asked while a transaction of ${opened.module} is open, which would span both: ask before or after it.`;
  return 'is asked outside of the transaction that this flow has open, which waits on its own pool: pass the transaction on.';
}

/** With what knex begins a transaction inside of another. */
const SAVEPOINT = /^savepoint\b/i;

/** A text that begins a transaction and leaves it open, by the first word of each of its statements. */
function opensTransaction(text: string): boolean {
  const tokens = tokensOf(text);
  const first = tokens.filter(({ kind }, index) => kind === 'word' && (index === 0 || (tokens[index - 1]!.kind === 'sign' && tokens[index - 1]!.text === ';')));
  const edge = first.map((token) => token.text).findLast((word) => ['begin', 'start', 'commit', 'end', 'rollback', 'abort'].includes(word));
  return edge === 'begin' || edge === 'start';
}
