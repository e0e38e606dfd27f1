import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../../setup/config-error.ts';
import { capitalized, type Names, withArticle } from './names.ts';

/**
 * A module written out, of the words sample (the module) and entry, entries (what it keeps). Each file ends in .txt, so
 * that no tool takes it for source where it lies.
 */
const TEMPLATE = join(import.meta.dirname, 'template');
const ENDING = '.txt';

/** The files of the template by their path in the tree. */
export async function readTemplate(): Promise<Map<string, string>> {
  const found = await readdir(TEMPLATE, { recursive: true });
  const paths = found.filter((path) => path.endsWith(ENDING)).toSorted();
  return new Map(await Promise.all(paths.map(async (path) => [path.slice(0, -ENDING.length), await readFile(join(TEMPLATE, path), 'utf8')] as const)));
}

/** The files of a module, by their path in the tree. */
export function filesOf(names: Names, template: ReadonlyMap<string, string>): Map<string, string> {
  const files = new Map([...template].map(([path, text]) => [inWordsOf(names, path), inWordsOf(names, text)]));
  if (files.size < template.size) throw new ConfigError(`A file of every module is called "${names.module}": choose another name.`);
  return files;
}

/** A path or a text of the template in the words of a module. */
export function inWordsOf({ module, entry, entries }: Names, text: string): string {
  const words: Record<string, string> = {
    // An event says its module once: ticket.archived, but gallery.picture_archived.
    'sample.entry_': module === entry ? `${module}.` : `${module}.${entry}_`,
    'An entry': capitalized(withArticle(entry)),
    'an entry': withArticle(entry),
    Sample: capitalized(module),
    sample: module,
    ENTRIES: entries.toUpperCase(),
    Entries: capitalized(entries),
    entries,
    Entry: capitalized(entry),
    entry,
  };
  return text.replace(new RegExp(Object.keys(words).join('|').replace('.', '\\.'), 'g'), (word) => words[word]!);
}

const PLACEHOLDERS = ['sample', 'Sample', 'entry', 'Entry', 'entries', 'Entries', 'ENTRIES'];

/** Every word that the code of the template uses beside its placeholders: a name made of one would hide what it means. */
export function wordsOf(template: ReadonlyMap<string, string>): ReadonlySet<string> {
  const code = [...template].filter(([path]) => path.endsWith('.ts')).map(([, text]) => text.replaceAll(/\/\*[^]*?\*\/|\/\/.*|'[^'\n]*'|`[^`]*`/g, ''));
  return new Set(code.join('\n').match(/\w+/g)?.filter((word) => !PLACEHOLDERS.includes(word)));
}
