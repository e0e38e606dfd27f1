/**
 * A piece of SQL that means something: comments and white space are gone, quotes are taken off, unquoted names are in
 * lower case as Postgres folds them.
 */
export interface Token {
  /** `word`: an unquoted name or key word; `quoted`: a name in double quotes; `text`: a literal; `other`: a number or placeholder */
  kind: 'word' | 'quoted' | 'text' | 'other' | 'sign';
  text: string;
}

const TOKEN = new RegExp(
  [
    /(?<skipped>\s+|--[^\n]*)/,
    /(?<comment>\/\*)/,
    /\$(?<tag>[\p{L}_][\p{L}\p{N}_]*)?\$(?<body>[\s\S]*?)\$\k<tag>\$/u,
    /(?<parameter>\$\d+)/,
    /e'(?<escaped>(?:[^'\\]|''|\\[\s\S])*)'/,
    /(?<prefix>u&|[nbx])?(?:'(?<literal>(?:[^']|'')*)'|"(?<quoted>(?:[^"]|"")*)")/,
    /(?<word>[\p{L}_][\p{L}\p{N}_$]*)/u,
    /(?<number>\d[\d.]*)/,
    /(?<sign>::|\|\||[\s\S])/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'giuy',
);

/**
 * The tokens of a SQL text. A placeholder `$1` whose binding is a string becomes that literal; literals put together by
 * `||`, or by standing side by side, become one.
 */
export function tokensOf(sql: string, bindings: readonly unknown[] = []): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  while (position < sql.length) {
    TOKEN.lastIndex = position;
    const { groups, 0: matched } = TOKEN.exec(sql) as RegExpExecArray & { groups: Record<string, string | undefined> };
    position = groups['comment'] ? endOfComment(sql, position) : position + matched.length;
    const token = tokenOf(groups, bindings);
    if (token) append(tokens, token);
  }
  return tokens;
}

function tokenOf(groups: Record<string, string | undefined>, bindings: readonly unknown[]): Token | undefined {
  const { skipped, comment, body, parameter, escaped, prefix, literal, quoted, word, number, sign } = groups;
  if (skipped !== undefined || comment !== undefined) return undefined;
  if (body !== undefined) return { kind: 'text', text: body };
  if (escaped !== undefined) return { kind: 'text', text: escapesRead(escaped) };
  const read = prefix?.toLowerCase() === 'u&' ? codePointsRead : (text: string) => text;
  if (literal !== undefined) return { kind: 'text', text: read(literal.replaceAll(`''`, `'`)) };
  if (quoted !== undefined) return { kind: 'quoted', text: read(quoted.replaceAll('""', '"')) };
  if (word !== undefined) return { kind: 'word', text: word.toLowerCase() };
  if (sign !== undefined) return { kind: 'sign', text: sign };
  const bound = parameter && bindings[Number(parameter.slice(1)) - 1];
  return typeof bound === 'string' ? { kind: 'text', text: bound } : { kind: 'other', text: parameter ?? number ?? '' };
}

function append(tokens: Token[], token: Token): void {
  const joins = tokens.at(-1)?.text === '||' && tokens.at(-1)?.kind === 'sign';
  const before = tokens.at(joins ? -2 : -1);
  if (token.kind !== 'text' || before?.kind !== 'text') return void tokens.push(token);
  if (joins) tokens.pop();
  tokens.splice(-1, 1, { kind: 'text', text: before.text + token.text });
}

/** Comments in SQL nest. */
function endOfComment(sql: string, begin: number): number {
  const edge = /\/\*|\*\//g;
  edge.lastIndex = begin;
  let depth = 0;
  for (let match = edge.exec(sql); match; match = edge.exec(sql)) {
    depth += match[0] === '/*' ? 1 : -1;
    if (depth === 0) return edge.lastIndex;
  }
  return sql.length;
}

/** What U&'…' and U&"…" mean. */
const codePointsRead = (text: string) =>
  text.replaceAll(/\\(?:\+([\da-f]{6})|([\da-f]{4}))/gi, (_, long?: string, short?: string) => character(long ?? short ?? ''));

/** What E'…' means. */
const escapesRead = (text: string) =>
  text.replaceAll(/''|\\(?:x([\da-f]{1,2})|u([\da-f]{4})|U([\da-f]{8})|([0-7]{1,3})|([\s\S]))/gi, (whole, x?: string, u?: string, long?: string, octal?: string, plain?: string) => {
    if (octal) return character(Number.parseInt(octal, 8).toString(16));
    return plain ?? (whole === `''` ? `'` : character(x ?? u ?? long ?? ''));
  });

function character(hex: string): string {
  const code = Number.parseInt(hex, 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : '';
}
