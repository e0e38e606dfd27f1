import type { Finding } from './advice.ts';
import { shortestWay, type Targets } from './graph.ts';
import { moduleOf } from './tree.ts';

const PUBLIC = /^src\/modules\/[^/]+\/(?:contract|fake)\.ts$/;

/**
 * Tests of a module that come to what they may not see by way of files in between: another module's inside or tests, or the
 * composition of all. Modules themselves are not in between: what they lean on is judged where they do it.
 */
export function findByHelper(targets: Targets): Finding[] {
  const ways = new Map<string, string[] | undefined>();
  const wayFrom = (helper: string, own: string) => {
    const key = `${own} ${helper}`;
    if (!ways.has(key)) ways.set(key, shortestWay(targets, helper, (file) => mayNotSee(own, file), (file) => !isInModule(file)));
    return ways.get(key);
  };
  return [...targets].flatMap(([file, next]) => {
    const own = file.startsWith('test/') ? moduleOf(file) : undefined;
    if (!own) return [];
    return [...next].flatMap(([helper, edge]) => {
      const way = isInModule(helper) || !targets.has(helper) ? undefined : wayFrom(helper, own);
      return way ? [{ rule: 'tests-by-a-helper', file, to: way.join(' → '), edge }] : [];
    });
  });
}

const isInModule = (file: string) => moduleOf(file) !== undefined;

const mayNotSee = (own: string, file: string) => /^src\/composition\.[^/]+$/.test(file) || (!PUBLIC.test(file) && (moduleOf(file) ?? own) !== own);
