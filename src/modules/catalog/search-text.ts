/**
 * How texts are made comparable for search: what is left when spacing, case, punctuation, width and composition do not
 * matter, the pairs of characters that find it, and the forms under which a typed word is looked for.
 */

/** One way to read a typed word: it is there when all `grams` are and `text` stands somewhere in one line. */
export interface WordForm {
  text: string;
  grams: string[];
}
/** A typed word, found when any of its forms is. */
export type SearchWord = readonly WordForm[];

export interface SearchQuery {
  words: SearchWord[];
  /** the query as the beginning of a name, with and without a particle at its end */
  prefixes: string[];
}

/** Two consonants typed one after the other that the keyboard joins into one letter. */
const CLUSTERS: Record<string, string> = {
  ㄳ: 'ㄱㅅ', ㄵ: 'ㄴㅈ', ㄶ: 'ㄴㅎ', ㄺ: 'ㄹㄱ', ㄻ: 'ㄹㅁ', ㄼ: 'ㄹㅂ', ㄽ: 'ㄹㅅ', ㄾ: 'ㄹㅌ', ㄿ: 'ㄹㅍ', ㅀ: 'ㄹㅎ', ㅄ: 'ㅂㅅ',
};

const PARTICLES = ['으로', '에서', '에게', '부터', '까지', '은', '는', '이', '가', '을', '를', '의', '에', '로', '와', '과', '도', '만'];

const fold = (text: string) => text.replaceAll(/[ㄳㄵㄶㄺ-ㅀㅄ]/g, (cluster) => CLUSTERS[cluster]!).normalize('NFKC').toLowerCase();

/** Letters and digits only, folded: `"ＰＥＢ-500 무선 이어폰"` → `"peb500무선이어폰"`. Single consonants become initials (U+1100…). */
export const squeeze = (text: string): string => fold(text).replaceAll(/[^\p{L}\p{M}\p{N}]+/gu, '').normalize('NFKC');

/** Each Hangul syllable as its initial consonant, the rest as it is: `무선이어폰` → `ㅁㅅㅇㅇㅍ` (as U+1100…). */
export const initialsOf = (squeezed: string): string =>
  squeezed.replaceAll(/[가-힣]/g, (syllable) => String.fromCharCode(0x1100 + Math.floor((syllable.charCodeAt(0) - 0xac00) / 588)));

/** Searchable lines of some texts, each squeezed, and once more by its initials where it has Hangul. */
export const searchLines = (texts: readonly string[]): string[] => {
  const squeezed = texts.map(squeeze).filter((text) => text !== '');
  return [...new Set(squeezed.flatMap((text) => [text, initialsOf(text)]))];
};

/** Lines of a long text: its words. Pairs across words would find what is not there. */
export const wordLines = (texts: readonly string[]): string[] => [
  ...new Set(texts.flatMap((text) => text.split(/\s+/)).map(squeeze).filter((word) => word !== '')),
];

/** Pairs of neighbouring characters. */
export function pairsOf(line: string): string[] {
  const characters = charactersOf(line);
  return characters.slice(1).map((character, index) => characters[index]! + character);
}

export const charactersOf = (line: string): string[] => Array.from(line);

/** A mark for each word of one character: 컵 is found by `컵을`, but 가방 not by `가을`. */
export const shortWordMarks = (texts: readonly string[]): string[] =>
  texts.flatMap((text) => fold(text).match(/[\p{L}\p{M}\p{N}]+/gu) ?? []).filter(isSingle).map(shortWordMark);

const shortWordMark = (character: string) => `=${character}`;
const isSingle = (text: string) => charactersOf(text).length === 1;

/**
 * What to look for. Words are what spaces separate; all must be found. Each is looked for as typed, and without the
 * particle it may end in; a single syllable that remains must be a word of its own.
 */
export function readQuery(typed: string): SearchQuery {
  const words = [...new Set(typed.split(/\s+/).map(squeeze))].filter((word) => word !== '');
  return { words: words.map(formsOf), prefixes: formsOf(squeeze(typed)).map(({ text }) => text) };
}

function formsOf(word: string): SearchWord {
  const stems = PARTICLES.filter((particle) => word.endsWith(particle) && word !== particle).map((particle) => word.slice(0, -particle.length));
  return [
    { text: word, grams: isSingle(word) ? [word] : pairsOf(word) },
    ...stems.map((stem) => ({ text: stem, grams: isSingle(stem) ? [shortWordMark(stem)] : pairsOf(stem) })),
  ];
}
