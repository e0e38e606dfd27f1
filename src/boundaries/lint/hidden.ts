import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from './advice.ts';
import type { Calls } from './coverage.ts';
import { environmentReads } from './environment.ts';
import { LISTENS, usesBeyondEvents } from './events-only.ts';
import { hiddenImports } from './hidden-imports.ts';
import type { ImportGraph } from './imports.ts';
import { createPathReader } from './paths.ts';
import type { Judge } from './rules.ts';
import { parse, type Sighting, type Source, textsOf } from './source.ts';
import type { Tree } from './tree.ts';

/**
 * What breaks a rule without an import that dependency-cruiser sees: paths in texts (for workers, mocks, `createRequire`,
 * the file system), computed imports, the environment, a contract used beyond its events.
 */
export function findHidden(tree: Tree, { files }: ImportGraph, judge: Judge, calls: Calls): Finding[] {
  const leadsTo = createPathReader(tree);
  const found = (rule: string, file: string, sightings: readonly Sighting[]): Finding[] =>
    sightings.map(({ to, line, column }) => ({ rule, file, to, place: { line, column } }));

  const paths = (source: Source): Finding[] =>
    textsOf(source).flatMap(({ text, importing, required, line, column }) => {
      if (importing) return [];
      const targets = required ? [...leadsTo(source.file, text), `node_modules/${text}/`] : leadsTo(source.file, text);
      return targets.flatMap((to) => {
        const rules = judge.broken({ from: source.file, to, specifier: text, types: [], unresolved: false });
        return rules.flatMap((rule) => found(rule, source.file, [{ to, line, column }]));
      });
    });

  return [...files].flatMap((file) => {
    const content = readFileSync(join(tree.root, file), 'utf8');
    const [, own] = LISTENS.exec(file) ?? [];
    const environment = /\bprocess\b|\benv\b|\\u/.test(content) && judge.speaksOf('settings-from-config', file);
    if (!own && !environment && !mayHide(content)) return [];
    const source = parse(tree.root, file, content);
    return [
      ...paths(source),
      ...(judge.speaksOf('imports-in-sight', file) ? found('imports-in-sight', file, hiddenImports(source)) : []),
      ...(environment ? found('settings-from-config', file, environmentReads(source)) : []),
      ...(own ? found('events-only', file, usesBeyondEvents(source, [own, ...(calls[own] ?? [])])) : []),
    ];
  });
}

/** Whether it is worth parsing: past its plain imports most code has nothing that looks like a path or an import. */
const mayHide = (content: string) => HINTS.test(content.replace(PLAIN_IMPORTS, ''));
const PLAIN_IMPORTS = /^\s*(?:import|export)\b(?:[^'"`;()=]*\bfrom)?\s*(['"])[^'"\\\n]*\1/gm;
const HINTS =
  /\bimport\s*[(./]|\brequire\b|\beval\b|\bFunction\b|\bgetBuiltinModule\b|\bvi\s*\.|['"`]\.{1,2}\/|\/\.\.\/|['"`]\.\.['"`]|(?<![.\w])(?:src|test|bin|bench)\/|['"`]modules['"`]|\bmigrations\b|\\[xu]/;
