import type { Database } from './database.ts';
import { type Token, tokensOf } from './sql-tokens.ts';

/** A statement that is about to be sent. */
export interface SeenStatement {
  /** as it is sent, with `$1` where values are bound */
  text: string;
  /** schemas of other modules that it names, each once */
  foreign: readonly string[];
  /** names the transaction it is part of, unique in the process; undefined outside of one */
  transaction: string | undefined;
}

/**
 * Shows every statement of a pool to `onStatement` before it is sent: those of transactions too, and BEGIN, COMMIT and
 * ROLLBACK. When `onStatement` throws, the statement is not sent and whoever asked for it gets that error.
 *
 * `module` is whose pool it is; `modules` names all that have schemas (`edge` is one of them). What a text names is
 * remembered, so that a statement costs a look-up.
 */
export function watchStatements(
  db: Database,
  { module, modules }: { module: string; modules: readonly string[] },
  onStatement: (statement: SeenStatement) => void,
): void {
  const foreignOf = rememberingReader(module, modules);
  db.on('query', ({ sql, bindings, __knexTxId }: { sql: string; bindings?: unknown[]; __knexTxId?: string }) =>
    onStatement({ text: sql, foreign: foreignOf(sql, bindings), transaction: __knexTxId }),
  );
}

const REMEMBERED = 1_000;
const LONGEST_REMEMBERED = 4_000;
/** Where a bound value can be a name: the text alone does not say what these name. */
const READS_VALUES = /set_config|reg(?:class|proc|procedure|type|namespace|oper|operator)\b|nextval|setval|currval|_privilege|_size|_to_xml|dblink|ts_stat|ts_rewrite/i;

function rememberingReader(module: string, modules: readonly string[]) {
  const remembered = new Map<string, readonly string[]>();
  return (sql: string, bindings: readonly unknown[] = []): readonly string[] => {
    const known = remembered.get(sql);
    if (known) return known;
    if (READS_VALUES.test(sql)) return foreignSchemas(sql, module, modules, bindings);
    const foreign = foreignSchemas(sql, module, modules);
    if (remembered.size >= REMEMBERED) remembered.clear();
    if (sql.length <= LONGEST_REMEMBERED) remembered.set(sql, foreign);
    return foreign;
  };
}

/** The schemas of a module: its own, and its job queue's. */
export const schemasOf = (module: string): readonly string[] => [module, `${module}_jobs`];

/**
 * Which schemas of other modules a SQL text names: as the qualifier of a name, as a schema by itself, in a search path,
 * by a role of theirs, or in a literal that Postgres reads as a name or as SQL (`'x.y'::regclass`, `execute`, function
 * bodies). Other literals are data. `"payment".id` is a column where the statement itself calls something `payment`. A
 * search path that cannot be read counts as every schema. Bindings matter only where a value is read as a name.
 *
 * This reads honest SQL and most that is not; the wall against the rest is the module's role.
 */
export function foreignSchemas(sql: string, module: string, modules: readonly string[], bindings: readonly unknown[] = []): string[] {
  const foreign = new Set(modules.filter((name) => name !== module).flatMap(schemasOf));
  if (![sql, ...bindings].some((text) => typeof text === 'string' && mayName(text, foreign))) return [];
  const own = schemasOf(module);
  const namedIn = (tokens: readonly Token[]): string[] => [
    ...statementsOf(tokens).flatMap((statement) => qualifiers(statement, foreign, own)),
    ...schemasByThemselves(tokens),
    ...searchPaths(tokens, foreign),
    ...rolesTaken(tokens),
    ...literalsRead(tokens).flatMap((text) => [text.trim(), ...namedIn(tokensOf(text))]),
  ];
  return [...new Set(namedIn(tokensOf(sql, bindings)))].filter((name) => foreign.has(name));
}

/** Where a name need not stand as it is: escapes, literals put together, a search path from anywhere. */
const HIDES_NAMES = /\\|\|\||'\s+'|set_config/i;

/** A look at the letters spares long lists of values the reading. */
function mayName(text: string, foreign: ReadonlySet<string>): boolean {
  const folded = text.toLowerCase();
  return HIDES_NAMES.test(text) || [...foreign].some((name) => folded.includes(name));
}

const isWord = (token: Token | undefined, ...words: string[]) => token?.kind === 'word' && words.includes(token.text);
const isSign = (token: Token | undefined, sign: string) => token?.kind === 'sign' && token.text === sign;
const isName = (token: Token | undefined) => token?.kind === 'word' || token?.kind === 'quoted';

/** A name given in one statement means nothing in the next. */
function statementsOf(tokens: readonly Token[]): Token[][] {
  const statements: Token[][] = [[]];
  for (const token of tokens) {
    if (isSign(token, ';')) statements.push([]);
    else statements.at(-1)!.push(token);
  }
  return statements;
}

/** Statements without aliases, and words that no alias follows. */
const WITHOUT_ALIASES = ['lock', 'truncate', 'analyze', 'vacuum', 'grant', 'revoke', 'comment'];
const BEFORE_SCHEMA = ['as', 'collate', 'view', 'type', 'returns', 'exists'];

function qualifiers(tokens: readonly Token[], foreign: ReadonlySet<string>, own: readonly string[]): string[] {
  const relations = relationPositions(tokens);
  const namesOnly = isWord(tokens[0], ...WITHOUT_ALIASES);
  const createsOn = isWord(tokens[0], 'create') && tokens.slice(1, 4).some((token) => isWord(token, 'trigger', 'index', 'policy', 'rule'));
  const dotted = (index: number) => isSign(tokens[index - 1], '.') || isSign(tokens[index + 1], '.');
  const calledHere = new Set(tokens.filter((token, index) => isName(token) && !dotted(index)).map(({ text }) => text));
  return tokens.flatMap((token, index) => {
    if (!isName(token) || !foreign.has(token.text) || !isSign(tokens[index + 1], '.')) return [];
    const before = tokens[index - 1];
    if (isSign(before, '.')) return own.includes(tokens[index - 2]?.text ?? '') ? [] : [token.text];
    const leadsToSchema = isSign(before, '::') || isWord(before, ...BEFORE_SCHEMA) || (createsOn && isWord(before, 'on'));
    const usedAsSchema = namesOnly || leadsToSchema || relations.has(index) || isSign(tokens[index + 3], '(');
    return usedAsSchema || !calledHere.has(token.text) ? [token.text] : [];
  });
}

const ENDS_FROM = ['select', 'where', 'group', 'order', 'having', 'limit', 'offset', 'window', 'union', 'intersect', 'except', 'fetch', 'for', 'returning', 'set', 'values'];
/** Functions with a `from` of their own between their parentheses. */
const FROM_INSIDE = ['extract', 'substring', 'trim', 'overlay'];

/** Where a relation stands, so that a qualifier there is a schema and never an alias. */
function relationPositions(tokens: readonly Token[]): Set<number> {
  const positions = new Set<number>();
  const outer: { list: boolean; expression: boolean }[] = [];
  let here = { list: false, expression: false };
  let expected = false;
  for (const [index, token] of tokens.entries()) {
    const before = tokens[index - 1];
    if (expected && isName(token)) positions.add(index);
    if (isSign(token, '(')) {
      outer.push(here);
      here = { list: expected, expression: isWord(before, ...FROM_INSIDE) };
    } else if (isSign(token, ')')) {
      here = outer.pop() ?? here;
      expected = false;
    } else if (isSign(token, ',')) expected = here.list;
    else if (isWord(token, 'from')) here.list = expected = !here.expression && !isWord(before, 'distinct');
    else if (isWord(token, 'join', 'into', 'update', 'table', 'using')) expected = true;
    else if (isWord(token, ...ENDS_FROM)) here.list = expected = false;
    else if (!isWord(token, 'only', 'lateral')) expected = false;
  }
  return positions;
}

/** `set schema 'x'`, `in schema a, b`, `create schema if not exists x`. */
const schemasByThemselves = (tokens: readonly Token[]) =>
  tokens.flatMap((token, index) => (isWord(token, 'schema') ? listFrom(tokens, afterWords(tokens, index + 1, 'if', 'not', 'exists')) : []));

/** `set search_path to a, "b"`, also of a role or function, and `set_config('search_path', 'a, b', …)`. */
function searchPaths(tokens: readonly Token[], foreign: ReadonlySet<string>): string[] {
  return tokens.flatMap((token, index) => {
    const next = tokens[index + 1];
    if (isName(token) && token.text === 'search_path' && (isWord(next, 'to') || isSign(next, '='))) return listFrom(tokens, index + 2);
    if (!isWord(token, 'set_config') || tokens[index + 2]?.text.toLowerCase() !== 'search_path') return [];
    const value = tokens[index + 4];
    return value?.kind === 'text' ? listed(value.text) : [...foreign];
  });
}

/** `set role kerf_x`, `set session authorization kerf_x_owner`, `set_config('role', 'kerf_x', …)`: whose role that is. */
const rolesTaken = (tokens: readonly Token[]) =>
  tokens.flatMap((token, index) => {
    const byWord = isWord(token, 'role', 'authorization') && tokens[afterWords(tokens, index + 1, 'to') + (isSign(tokens[index + 1], '=') ? 1 : 0)];
    const taken = isWord(token, 'set_config') && tokens[index + 2]?.text.toLowerCase() === 'role' ? tokens[index + 4] : byWord;
    const [, module] = (taken && /^kerf_(.+?)(_owner)?$/.exec(taken.text)) || [];
    return module ? [module] : [];
  });

function listFrom(tokens: readonly Token[], begin: number): string[] {
  const token = tokens[begin];
  if (!token || (!isName(token) && token.kind !== 'text')) return [];
  const names = token.kind === 'text' ? listed(token.text) : [token.text];
  return isSign(tokens[begin + 1], ',') ? [...names, ...listFrom(tokens, begin + 2)] : names;
}

const listed = (text: string) => tokensOf(text).filter((token) => isName(token)).map((token) => token.text);

const afterWords = (tokens: readonly Token[], begin: number, ...words: string[]): number =>
  isWord(tokens[begin], ...words) ? afterWords(tokens, begin + 1, ...words) : begin;

const REG_TYPE = /^(to_)?reg(class|proc|procedure|type|namespace|oper|operator)$/;
const READS_TEXT = /^(nextval|currval|setval|ts_stat|ts_rewrite|pg_get_serial_sequence|dblink\w*|pg_\w+_size|has_\w+_privilege|\w+_to_xml\w*)$/;

/** The literals that Postgres reads as a name or as SQL. */
function literalsRead(tokens: readonly Token[]): string[] {
  const definesCode = tokens.some((token, index) => begins(tokens, index, 'do') || (isWord(token, 'function', 'procedure') && isWord(tokens[index - 1], 'create', 'replace')));
  const casts = tokens.some((token) => isName(token) && REG_TYPE.test(token.text));
  const executes = tokens.some((token) => isWord(token, 'execute'));
  const depthOfCall: boolean[] = [];
  return tokens.flatMap((token, index) => {
    const before = tokens[index - 1];
    if (isSign(token, '(')) depthOfCall.push(depthOfCall.at(-1) === true || reads(before) || (isWord(before, 'format') && (executes || formatsName(tokens, index))) || (casts && castsToName(tokens, index)));
    if (isSign(token, ')')) depthOfCall.pop();
    if (token.kind !== 'text') return [];
    const cast = isSign(tokens[index + 1], '::') && REG_TYPE.test(tokens[index + 2]?.text ?? '');
    return definesCode || cast || depthOfCall.at(-1) || isWord(before, 'execute') || (isName(before) && REG_TYPE.test(before!.text)) ? [token.text] : [];
  });
}

const begins = (tokens: readonly Token[], index: number, word: string) => isWord(tokens[index], word) && (index === 0 || isSign(tokens[index - 1], ';'));

const reads = (token: Token | undefined) => isName(token) && (READS_TEXT.test(token!.text) || REG_TYPE.test(token!.text));

/** `format('… %I …', …)`; without a name in it, it is a text like any other, unless something is executed. */
const formatsName = (tokens: readonly Token[], open: number) => tokens[open + 1]?.kind === 'text' && /%(\d+\$)?-?\d*I/.test(tokens[open + 1]!.text);

/** `cast('x.y' as regclass)`, `('x' || '.y')::regclass` */
function castsToName(tokens: readonly Token[], open: number): boolean {
  const close = closing(tokens, open);
  const [type, sign] = isWord(tokens[open - 1], 'cast') ? [close - 1, isWord(tokens[close - 2], 'as')] : [close + 2, isSign(tokens[close + 1], '::')];
  return sign && REG_TYPE.test(tokens[type]?.text ?? '');
}

/** Where the parenthesis at `open` ends. */
function closing(tokens: readonly Token[], open: number): number {
  let position = open + 1;
  for (let depth = 1; position < tokens.length; position += 1) {
    if (isSign(tokens[position], '(')) depth += 1;
    if (isSign(tokens[position], ')')) depth -= 1;
    if (depth === 0) break;
  }
  return position;
}
