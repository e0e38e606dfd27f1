import { AppError, invalid } from '../shared/errors.ts';

/**
 * The value of a JSON body, stricter than JSON.parse: UTF-8 only, no duplicate keys (which value counts depends on the
 * reader), no NUL and no half of a surrogate pair (Postgres refuses both).
 */
export function parseJsonBody(body: Buffer, contentType: string | undefined): unknown {
  if (!/^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i.test(contentType ?? '')) {
    throw invalid('content_type_unsupported', 'Send the body as application/json.');
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    const value: unknown = JSON.parse(text);
    refuseDuplicateKeys(text);
    refuseOddText(text, value);
    return value;
  } catch (error) {
    throw error instanceof AppError ? error : invalid('invalid_json', 'The body is not valid JSON.');
  }
}

/** `text` is known to be valid JSON, so tokens can be told apart by their first character. */
function refuseDuplicateKeys(text: string): void {
  const open: (Set<string> | undefined)[] = [];
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (isKey(text, index + token.length)) {
      const keys = open.at(-1);
      const key = JSON.parse(token) as string;
      if (keys?.has(key)) throw invalid('invalid_json', `The body has the key "${key.slice(0, 50)}" twice.`);
      keys?.add(key);
    }
  }
}

function isKey(text: string, end: number): boolean {
  COLON.lastIndex = end;
  return COLON.test(text);
}
const COLON = /\s*:/y;

function refuseOddText(text: string, value: unknown): void {
  if (/\\u(?:0000|d[89a-f])/i.test(text) && !isPlain(value)) {
    throw invalid('invalid_text', 'The body has text with a NUL or half of a surrogate pair.');
  }
}

function isPlain(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, part]) => isPlain(key) && isPlain(part));
}
