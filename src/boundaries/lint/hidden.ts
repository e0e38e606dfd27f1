import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import type { Finding } from './advice.ts';
import type { Calls } from './coverage.ts';
import { queries, waysOutOfTransactions } from './database-use.ts';
import { environmentReads } from './environment.ts';
import { LISTENS, usesBeyondEvents } from './events-only.ts';
import { FAKE, insideGivenOut } from './fakes.ts';
import { hiddenImports, isInHiddenImport } from './hidden-imports.ts';
import type { Edge, ImportGraph } from './imports.ts';
import { createPathReader } from './paths.ts';
import type { Judge } from './rules.ts';
import { parse, type Place, type Sighting, type Source, type Text, textsOf } from './source.ts';
import { moduleOf, type Tree } from './tree.ts';

/**
 * What breaks a rule without an import that dependency-cruiser sees: paths in texts (for workers, mocks, `createRequire`,
 * the file system), computed imports, the environment, and what is done with what was rightly imported.
 */
export function findHidden(tree: Tree, { files }: ImportGraph, judge: Judge, calls: Calls): Finding[] {
  const readPath = createPathReader(tree);
  const mayHide = glanceFor(tree);

  return [...files].flatMap((file) => {
    const content = readFileSync(join(tree.root, file), 'utf8');
    const glance = mayHide(file, content);
    const leadsTo = (text: string) => readPath(file, text);
    const computes = glance && judge.speaksOf('imports-in-sight', file);
    const searches: [rule: string, isWorthIt: boolean, find: (source: Source) => Sighting[]][] = [
      ['imports-in-sight', computes, hiddenImports],
      ['settings-from-config', ENVIRONMENT.test(content) && judge.speaksOf('settings-from-config', file), environmentReads],
      ['events-only', LISTENS.test(file), (source) => usesBeyondEvents(source, [moduleOf(file)!, ...(calls[moduleOf(file)!] ?? [])])],
      ['queries-in-repositories', NO_REPOSITORY.test(file) && DATABASE.test(content.replace(TRANSACTIONS, '')), (source) => queries(source, leadsTo)],
      ['transactions-stay-open', NOT_THE_KERNEL.test(file) && WAYS_OUT.test(content), (source) => waysOutOfTransactions(source, leadsTo)],
      ['fakes-keep-the-inside', FAKE.test(file), (source) => insideGivenOut(source, leadsTo)],
      ['tests-as-the-module', file.startsWith('test/modules/') && content.includes('adminUrl'), (source) => mentions(source, 'adminUrl')],
    ];
    const worthIt = searches.filter(([, isWorthIt]) => isWorthIt);
    if (!glance && worthIt.length === 0) return [];
    const source = parse(tree.root, file, content);
    const paths = glance ? pathEdges(source, leadsTo, ({ node }) => computes && isInHiddenImport(node)) : [];
    return [
      ...paths.flatMap(({ edge, place }) => judge.broken(edge).map((rule) => ({ rule, file, to: edge.to, place }))),
      ...worthIt.flatMap(([rule, , find]) => find(source).map(({ to, line, column }) => ({ rule, file, to, place: { line, column } }))),
    ];
  });
}

/** What the helpers of tests lean on by paths in texts, like those of mocks. */
export function hiddenEdges(tree: Tree, { files }: ImportGraph): Edge[] {
  const readPath = createPathReader(tree);
  const mayHide = glanceFor(tree);
  return [...files].filter((file) => file.startsWith('test/') && !moduleOf(file)).flatMap((file) => {
    const content = readFileSync(join(tree.root, file), 'utf8');
    return mayHide(file, content) ? pathEdges(parse(tree.root, file, content), (text) => readPath(file, text), () => false).map(({ edge }) => edge) : [];
  });
}

/** Each text that is a path, or to a `require` of the file's own making a library, as if it were an import. */
function pathEdges(source: Source, leadsTo: (text: string) => readonly string[], isToldOf: (text: Text) => boolean): { edge: Edge; place: Place }[] {
  const texts = textsOf(source).filter((text) => !text.importing && !isToldOf(text));
  return texts.flatMap(({ text, required, line, column }) =>
    [...leadsTo(text), ...(required ? [`node_modules/${text}/`] : [])].map((to) => ({
      edge: { from: source.file, to, specifier: text, types: [], unresolved: false },
      place: { line, column },
    })),
  );
}

const mentions = ({ nodes, placeOf }: Source, name: string): Sighting[] =>
  nodes.filter((node) => (ts.isIdentifier(node) || ts.isStringLiteralLike(node)) && node.text === name).map((node) => ({ to: name, ...placeOf(node) }));

const NO_REPOSITORY = /^src\/modules\/(?![^/]+\/module\.ts$)(?!.*-repository\.ts$)/;
const NOT_THE_KERNEL = /^(?:src\/(?!shared\/)|bin\/)/;

// By a glance at its code a file is known that need not be parsed. An escaped name is none to a glance.
const ENVIRONMENT = /\b(?:process|env|globalThis|global)\b|\\u/;
/** the import that a module is meant to have */
const TRANSACTIONS = /^import (?:type )?\{(?:[ ,]|type|Database|Transaction|transaction|insideTransaction)+\} from '[./]+shared\/database\.ts';$/gm;
const WAYS_OUT = /outsideTransaction|\b(?:import|export)\s*(?:\*|\()[^;]*\/database\b|\\[xu]/;
const DATABASE = /\/database\b|\braw\b|\b(?:db|trx)\s*[.(?]|\\[xu]/;
const HINTS =
  /\bimport\s*[(./]|\brequire\b|\beval\b|\bFunction\b|\bgetBuiltinModule\b|\bvi\s*\.|['"`]\.{1,2}\/|\/\.{1,2}\/|['"`]\.\.['"`]|(?<![.\w])(?:src|test|bin|bench)\/|\bmodules['"`/]|\bmigrations\b|\\[xu]/;
const PLAIN_IMPORTS = /^\s*(?:import|export)\b(?:[^'"`;()=]*\bfrom)?\s*(['"])[^'"\\\n]*\1/gm;

/** Past its plain imports most code has nothing that looks like a path or an import. */
function glanceFor({ modules }: Tree) {
  const moduleNames = new RegExp(`['"\`/](?:${modules.join('|')})(?:/|['"\`]\\s*,)`);
  return (file: string, content: string) => {
    const rest = content.replace(PLAIN_IMPORTS, '');
    return HINTS.test(rest) || (moduleOf(file) !== undefined && moduleNames.test(rest));
  };
}
