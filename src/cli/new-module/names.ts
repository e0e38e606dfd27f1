import { Script } from 'node:vm';
import { ConfigError } from '../../setup/config-error.ts';

/** The words of a new module. Its schema, roles, folders and variables are named by `module`; its table and types by the rest. */
export interface Names {
  module: string;
  /** what the module keeps, one of it */
  entry: string;
  entries: string;
}

/** Roles and schemas of every installation, and words that would mislead. */
const KERF = ['admin', 'edge', 'kerf', 'migrations', 'modules', 'new', 'placement', 'shared'];
const POSTGRES = /^(pg.*|postgres|public)$/;
/** Words that Postgres takes for something else where a table's name is due, and the name of the table that counts migrations. */
const NO_TABLES = ['migrations', 'references', 'values'];
/** What code finds wherever it runs: a name like that hides it, or is taken for it by whoever checks what code reaches. */
const EVERYWHERE = ['eval', 'exports', 'global', 'module', 'process', 'require'];

/** Refuses what could not be a module's name in any tree. */
export function assertModuleName(module: string): void {
  assertWord(module, 'a name for a module', 'ticket');
  if (KERF.includes(module) || module.endsWith('jobs')) throw new ConfigError(`"${module}" is a word of Kerf's own: choose another name.`);
  if (POSTGRES.test(module)) throw new ConfigError(`"${module}" belongs to Postgres, which has schemas and roles like that: choose another name.`);
  if (!isFree(module)) throw new ConfigError(`"${module}" is a word of the language itself, so no code could use it: choose another name.`);
}

/** The names of a module that keeps `entry`: by default, what the module is called itself. */
export function namesOf(module: string, entry = module): Names {
  assertWord(entry, 'a name for what it keeps', 'picture');
  const entries = pluralOf(entry);
  if (isPlural(entry) || !isFree(entry) || NO_TABLES.includes(entries)) {
    throw new ConfigError(`"${entry}" can hardly name one of them and "${entries}" many: say with --of what one is called, like "kerf new module analytics --of report".`);
  }
  return { module, entry, entries };
}

function assertWord(word: string, what: string, example: string): void {
  if (!/^[a-z]{2,30}$/.test(word)) {
    throw new ConfigError(`"${word}" is not ${what}: take one English word of 2 to 30 lower-case letters, like "${example}".`);
  }
}

/** By the rules of the language, for one word: ticket, tickets; category, categories; address, addresses. */
export const pluralOf = (word: string): string =>
  word.replace(/(?<=[^aeiou])y$/, 'ie').replace(/(s|x|z|ch|sh)$/, '$1e').concat('s');

const isPlural = (word: string) => /[^su]s$/.test(word);

/** "a ticket", "an invoice", "a user". */
export const withArticle = (word: string): string => `${/^([aeio]|u(?!ni|se|ti))/.test(word) ? 'an' : 'a'} ${word}`;

export const capitalized = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** Whether code may call something so: also the key of an object, where every object answers to `constructor`. */
function isFree(word: string): boolean {
  if (EVERYWHERE.includes(word) || word in {}) return false;
  try {
    return Boolean(new Script(`'use strict'; async () => { const ${word} = 0; };`));
  } catch {
    return false;
  }
}
