import { ConfigError } from '../../setup/config-error.ts';
import type { Edge } from './imports.ts';

/** A rule of .dependency-cruiser.js, with the keys that are judged here. */
export interface ImportRule {
  name: string;
  /** what to do instead */
  comment: string;
  from: PathRestriction;
  to: PathRestriction & { dependencyTypesNot?: readonly string[]; couldNotResolve?: boolean; circular?: boolean };
}

interface PathRestriction {
  path?: string | readonly string[];
  pathNot?: string | readonly string[];
}

type KnownKeys = Record<'from' | 'to', readonly string[]>;
const KNOWN: KnownKeys = { from: ['path', 'pathNot'], to: ['path', 'pathNot', 'dependencyTypesNot', 'couldNotResolve'] };
const KNOWN_OF_CYCLES: KnownKeys = { from: [], to: ['circular'] };

export interface Judge {
  /** the names of the rules that an edge breaks */
  broken(edge: Edge): readonly string[];
  /** whether a rule is about what this file leans on */
  speaksOf(rule: string, file: string): boolean;
}

/**
 * Judges edges. Rules mean here what they mean to dependency-cruiser, which judges only what it saw itself; a path in a
 * string is judged by the same ones here. A key that is not known is an error, not a rule that matches nothing.
 */
export function createJudge(rules: readonly ImportRule[]): Judge {
  for (const rule of rules) refuseUnknown(rule);
  const judged = rules.filter(({ to }) => !to.circular).map(compile);
  const tests = new Map<string, { name: string; breaks: Test }[]>();
  const testsOf = (file: string) => {
    if (!tests.has(file)) tests.set(file, judged.flatMap(({ name, testFor }) => [testFor(file) ?? []].flat().map((breaks) => ({ name, breaks }))));
    return tests.get(file)!;
  };
  return {
    broken: (edge) => testsOf(edge.from).filter(({ breaks }) => breaks(edge)).map(({ name }) => name),
    speaksOf: (rule, file) => testsOf(file).some(({ name }) => name === rule),
  };
}

type Test = (edge: Edge) => boolean;

function compile({ name, from, to }: ImportRule) {
  const [path, pathNot] = [pattern(from.path), pattern(from.pathNot)];
  const known = new Map<string, Test>();
  return {
    name,
    /** the test for edges of this file, or nothing when the rule does not speak of it */
    testFor(file: string): Test | undefined {
      const match = path.exec(file);
      if (!match || (from.pathNot && pathNot.test(file))) return undefined;
      const groups = match.slice(1);
      const key = groups.join('\n');
      if (!known.has(key)) known.set(key, testOf(to, groups));
      return known.get(key);
    },
  };
}

function testOf(to: ImportRule['to'], groups: readonly string[]): Test {
  const [path, pathNot] = [pattern(to.path, groups), pattern(to.pathNot, groups)];
  return (edge) =>
    path.test(edge.to) &&
    !(to.pathNot && pathNot.test(edge.to)) &&
    !to.dependencyTypesNot?.some((type) => edge.types.includes(type)) &&
    (to.couldNotResolve === undefined || to.couldNotResolve === edge.unresolved);
}

/** Any of the patterns, where `$1` is what the first group of the rule's `from` matched; without any, everything. */
const pattern = (sources: string | readonly string[] = '', groups: readonly string[] = []) =>
  new RegExp([sources].flat().join('|').replace(/\$(\d)/g, (_, digit: string) => groups[Number(digit) - 1] ?? '$'));

function refuseUnknown(rule: ImportRule): void {
  const { name, from, to } = rule;
  if (!name || !from || !to) throw new ConfigError(`A rule in .dependency-cruiser.js (${name}) has no name, from or to.`);
  try {
    for (const { path, pathNot } of [from, to]) [path, pathNot].map((one) => pattern(one));
  } catch (error) {
    throw new ConfigError(`The rule ${name} in .dependency-cruiser.js has a pattern that is none: ${(error as Error).message}.`, { cause: error });
  }
  const known = to.circular ? KNOWN_OF_CYCLES : KNOWN;
  const unknown = [...Object.keys(from).filter((key) => !known.from.includes(key)), ...Object.keys(to).filter((key) => !known.to.includes(key))];
  if (unknown.length > 0) throw new ConfigError(`The rule ${name} in .dependency-cruiser.js uses ${unknown.join(', ')}, which the boundary check does not judge: add it to src/boundaries/lint/rules.ts.`);
}
