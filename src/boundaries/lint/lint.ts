import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ICruiseOptions } from 'dependency-cruiser';
import { ConfigError } from '../../setup/config-error.ts';
import { ADVICE, type Finding } from './advice.ts';
import { type Calls, findUnread, findWrongTable, modulesRead } from './coverage.ts';
import { cyclesOf, type Targets, targetsOf } from './graph.ts';
import { findHidden, hiddenEdges } from './hidden.ts';
import { type ImportGraph, readImports } from './imports.ts';
import { createPlaces } from './places.ts';
import { createJudge, type ImportRule, type Judge } from './rules.ts';
import { findByHelper } from './test-helpers.ts';
import { listTree } from './tree.ts';

/** What a check of a tree answers, also printed by `kerf boundaries --json`. */
export interface BoundaryReport {
  /** modules of which something was read */
  modules: number;
  files: number;
  /** imports that were read, a file's imports of the same thing counted once */
  edges: number;
  milliseconds: number;
  violations: readonly Violation[];
}

export interface Violation {
  rule: string;
  /** relative to the root */
  file: string;
  line: number;
  column: number;
  /** what the file leans on; empty when the rule is about the file itself */
  to: string;
  /** what to do instead */
  advice: string;
}

/**
 * Reads every file of code below `root` and judges what leans on what, by the rules of its .dependency-cruiser.js, its
 * src/calls.ts, and those that neither can express (advice.ts).
 */
export async function lintBoundaries(folder: string): Promise<BoundaryReport> {
  const started = performance.now();
  const root = existingFolder(folder);
  const { rules, options, calls } = await readRules(root);
  const tree = listTree(root);
  const graph = await readImports(tree, options);
  const judge = createJudge(rules);
  const targets = targetsOf(graph.edges);
  const findings: Finding[] = [
    ...findUnread(tree, graph, calls),
    ...findWrongTable(tree, calls),
    ...tree.strays.map((file) => ({ rule: 'code-in-a-room', file, to: '' })),
    ...tree.links.map((file) => ({ rule: 'no-links', file, to: '' })),
    ...findForbidden(graph, judge),
    ...findCycles(targets, rules),
    ...findByHelper(targetsOf([...graph.edges, ...hiddenEdges(tree, graph)])),
    ...findHidden(tree, graph, judge, calls),
  ];
  return {
    modules: modulesRead(graph.files).size,
    files: graph.files.size,
    edges: graph.edges.length,
    milliseconds: Math.round(performance.now() - started),
    violations: locate(root, findings, new Map([...rules.map(({ name, comment }) => [name, comment] as const), ...Object.entries(ADVICE)])),
  };
}

function existingFolder(folder: string): string {
  if (existsSync(folder) && !existsSync(join(folder, 'node_modules')) && existsSync(join(folder, '.dependency-cruiser.js'))) {
    throw new ConfigError(`There is no node_modules in ${folder}, without which no import leads anywhere: run npm ci there.`);
  }
  for (const needed of ['.dependency-cruiser.js', 'tsconfig.json', 'src/calls.ts', 'src/modules']) {
    if (!existsSync(join(folder, needed))) throw new ConfigError(`There is no ${needed} in ${folder}: --root wants the folder of a checkout.`);
  }
  return realpathSync(folder);
}

async function readRules(root: string): Promise<{ rules: ImportRule[]; options: ICruiseOptions; calls: Calls }> {
  const load = (file: string) =>
    import(pathToFileURL(join(root, file)).href).catch((error: unknown) => {
      throw new ConfigError(`${file} in ${root} cannot be loaded: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`, { cause: error });
    });
  const { calls } = await load('src/calls.ts');
  if (!isTable(calls)) throw new ConfigError(`src/calls.ts in ${root} must export calls: for each module the names of those that it may call.`);
  const { default: config } = await load('.dependency-cruiser.js');
  if (!Array.isArray(config?.forbidden) || typeof config.options !== 'object') throw new ConfigError(`.dependency-cruiser.js in ${root} must export forbidden, a list of rules, and options.`);
  return { rules: config.forbidden, options: config.options, calls };
}

const isTable = (calls: unknown): calls is Calls =>
  typeof calls === 'object' && calls !== null && Object.values(calls).every((callees) => Array.isArray(callees) && callees.every((callee) => typeof callee === 'string'));

const findForbidden = ({ edges }: ImportGraph, judge: Judge): Finding[] =>
  edges.flatMap((edge) => judge.broken(edge).map((rule) => ({ rule, file: edge.from, to: edge.to, edge })));

function findCycles(targets: Targets, rules: readonly ImportRule[]): Finding[] {
  const names = rules.filter(({ to }) => to.circular).map(({ name }) => name);
  return cyclesOf(targets).flatMap((way) => {
    const [file = '', next = ''] = way;
    const edge = targets.get(file)?.get(next);
    return names.map((rule) => ({ rule, file, to: way.slice(1).join(' → '), ...(edge && { edge }) }));
  });
}

/** Each finding once, with its place and its sentence, file by file. */
function locate(root: string, findings: readonly Finding[], advice: ReadonlyMap<string, string>): Violation[] {
  const placesOf = createPlaces(root);
  const violations = findings.flatMap((finding) => {
    const { rule, file, to } = finding;
    return placesOf(finding).map(({ line, column }) => ({ rule, file, line, column, to, advice: advice.get(rule) ?? '' }));
  });
  const once = new Map(violations.map((violation) => [`${violation.rule} ${violation.file}:${violation.line}:${violation.column}`, violation]));
  return [...once.values()].toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column || a.rule.localeCompare(b.rule));
}
