import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from './advice.ts';
import type { Edge } from './imports.ts';
import { parse, type Place, type Text, textsOf } from './source.ts';

/** Where findings are. dependency-cruiser tells no lines, so a file with a forbidden import is parsed once for its places. */
export function createPlaces(root: string): (finding: Finding) => readonly Place[] {
  const texts = new Map<string, readonly Text[]>();
  const textsIn = (file: string) => {
    if (!texts.has(file)) texts.set(file, textsOf(parse(root, file)));
    return texts.get(file)!;
  };
  return ({ file, place, edge, word }) => {
    if (place) return [place];
    if (word) return [placeOfWord(readFileSync(join(root, file), 'utf8'), word)];
    if (!edge) return [{ line: 1, column: 1 }];
    const named = textsIn(file).filter(({ text }) => isNamedBy(text, edge));
    const sameKind = named.filter(({ importing }) => (importing === 'type-only') === edge.types.includes('type-only'));
    // A /// reference or a JSDoc comment is no text of its own.
    return [sameKind, named].find(({ length }) => length > 0) ?? [placeOfWord(readFileSync(join(root, file), 'utf8'), edge.specifier)];
  };
}

/** dependency-cruiser takes `node:` away, and the type of what follows `data:`. */
const isNamedBy = (text: string, { specifier }: Edge) =>
  text === specifier || (/^(node|data):/.test(text) && text.endsWith(specifier.replace(/^data:/, '')));

/** Where a table has a row of this name, or else where the word stands first. */
function placeOfWord(content: string, word: string): Place {
  const escaped = word.replace(/\W/g, '\\$&');
  const match = new RegExp(`^\\s*(['"]?)${escaped}\\1:`, 'm').exec(content) ?? new RegExp(`(?<![\\w-])${escaped}(?![\\w-])`).exec(content);
  const before = content.slice(0, match ? match.index + match[0].indexOf(word) : 0).split('\n');
  return { line: before.length, column: before.at(-1)!.length + 1 };
}
