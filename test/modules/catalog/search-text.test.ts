import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { charactersOf, initialsOf, pairsOf, readQuery, searchLines, shortWordMarks, squeeze, wordLines } from '../../../src/modules/catalog/search-text.ts';

const hangul = fc.integer({ min: 0xac00, max: 0xd7a3 }).map((code) => String.fromCharCode(code));
const word = fc.array(fc.oneof(hangul, fc.constantFrom(...Array.from('abcXYZ019'))), { minLength: 1, maxLength: 8 }).map((parts) => parts.join(''));

/** The domain's own reading of "found": some form's grams and its text are there. */
function isFound(typed: string, names: string[]): boolean {
  const lines = searchLines(names);
  const grams = new Set([...lines.flatMap(charactersOf), ...lines.flatMap(pairsOf), ...shortWordMarks(names)]);
  const { words } = readQuery(typed);
  return words.every((forms) => forms.some((form) => form.grams.every((gram) => grams.has(gram)) && lines.some((line) => line.includes(form.text))));
}

describe('squeezing a text', () => {
  it.each([
    ['무선 이어폰', '무선이어폰'],
    ['  Wireless  EARPHONES ', 'wirelessearphones'],
    ['ＰＥＢ－５００', 'peb500'],
    ['머그·유리잔', '머그유리잔'],
    ['무선 이어폰'.normalize('NFD'), '무선이어폰'],
    ['Café', 'café'],
    ['Café', 'café'],
    ['ﾑｾﾝ', 'ムセン'],
    [`100% "면" _'x'\\`, '100면x'],
    ['%_', ''],
    ['', ''],
  ])('makes %j %j', (text, squeezed) => expect(squeeze(text)).toBe(squeezed));

  it('reads single consonants as initials, also those a keyboard joined', () => {
    expect(squeeze('ㅁㅅ')).toBe(initialsOf('무선'));
    expect(squeeze('ㄳ')).toBe(initialsOf('가수'));
    expect(squeeze('ㅄ')).toBe(initialsOf('밥솥'));
  });

  it('does nothing the second time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = squeeze(text);
        expect(squeeze(once)).toBe(once);
      }),
      { numRuns: 5_000 },
    );
  });

  it('leaves no spacing, no punctuation and nothing that a pattern or a line could trip over', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(squeeze(text)).not.toMatch(/[\s%_'"\\=\0]/);
      }),
    );
  });
});

describe('initial consonants', () => {
  it.each([
    ['무선이어폰', 'ㅁㅅㅇㅇㅍ'],
    ['까치', 'ㄲㅊ'],
    ['힣', 'ㅎ'],
    ['led조명', 'ledㅈㅁ'],
    ['usb', 'usb'],
  ])('of %s are %s', (text, initials) => expect(initialsOf(text)).toBe(squeeze(initials)));

  it('are as long as the text, and find it', () => {
    fc.assert(
      fc.property(word.map(squeeze), (text) => {
        expect(charactersOf(initialsOf(text))).toHaveLength(charactersOf(text).length);
        expect(searchLines([text])).toContain(initialsOf(text));
      }),
    );
  });
});

describe('lines', () => {
  it('are the texts and their initials, once each and never empty', () => {
    expect(searchLines(['무선 이어폰', 'Earphones', '%', 'EARPHONES'])).toEqual(['무선이어폰', squeeze('ㅁㅅㅇㅇㅍ'), 'earphones']);
  });

  it('of a long text are its words, so that nothing is found across them', () => {
    expect(wordLines(['손잡이 어디나, 손잡이'])).toEqual(['손잡이', '어디나']);
  });

  it('are taken apart into pairs of characters', () => {
    expect(pairsOf('이어폰')).toEqual(['이어', '어폰']);
    expect(pairsOf('컵')).toEqual([]);
    expect(pairsOf('😀a')).toEqual(['😀a']);
  });
});

describe('a query', () => {
  it('has one word per spaced part, each as typed and without its particle', () => {
    const { words, prefixes } = readQuery('무선 이어폰을  무선');
    expect(words.map((forms) => forms.map(({ text }) => text))).toEqual([['무선'], ['이어폰을', '이어폰']]);
    expect(prefixes).toContain('무선이어폰을무선');
  });

  it.each([['%'], ['_'], [`'"`], ['\\'], ['   ']])('of nothing but %j has no words', (typed) => expect(readQuery(typed).words).toEqual([]));

  const earphones = ['무선 이어폰', 'Wireless Earphones'];
  it.each([
    ['무선이어폰'], ['무선 이어폰'], ['이어폰을'], ['이어폰은'], ['이어폰으로'], ['이어폰에서'], ['ㅁㅅㅇㅇㅍ'], ['ㅇㅇㅍ'], ['ㅁㅅ ㅇㅇㅍ'], ['ㅍ'],
    ['이어'], ['폰'], ['무선 이어폰의'], ['무선이어폰을'], ['이어폰을'.normalize('NFD')], ['EARPHONES'], ['ｗｉｒｅｌｅｓｓ'], ['earphones를'], ['무-선'],
  ])('%j finds the wireless earphones', (typed) => expect(isFound(typed, earphones)).toBe(true));

  it.each([['유선이어폰'], ['ㅇㅅㅇㅇㅍ'], ['폰이어'], ['무선 스피커'], ['을'], ['으로']])('%j does not', (typed) =>
    expect(isFound(typed, earphones)).toBe(false));

  it('finds a one-syllable word under its particle, but not every text with that syllable', () => {
    expect(isFound('컵을', ['유리 컵'])).toBe(true);
    expect(isFound('컵', ['머그컵'])).toBe(true);
    expect(isFound('가을', ['가방'])).toBe(false);
    expect(isFound('가을', ['가을 담요'])).toBe(true);
    expect(isFound('하의', ['하얀 접시'])).toBe(false);
  });

  it('finds every name by itself, with any particle, however it is spaced, cased or composed', () => {
    const particle = fc.constantFrom('', '은', '는', '이', '가', '을', '를', '의', '에', '로', '으로', '와', '과', '도', '만', '에서', '부터', '까지');
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), particle, fc.boolean(), (parts, ending, decomposed) => {
        const name = parts.join(' ');
        for (const typed of [name, parts.join(''), `${name.toUpperCase()}${ending}`]) {
          fc.pre(charactersOf(squeeze(typed)).length > 1 + ending.length);
          expect(isFound(decomposed ? typed.normalize('NFD') : typed, [name])).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('finds every name by the initials of any part of it', () => {
    fc.assert(
      fc.property(fc.array(hangul, { minLength: 1, maxLength: 10 }), fc.nat(), fc.nat(), (syllables, from, length) => {
        const start = from % syllables.length;
        const part = syllables.slice(start, start + 1 + (length % syllables.length)).join('');
        expect(isFound(initialsOf(part), [syllables.join('')])).toBe(true);
      }),
    );
  });
});
