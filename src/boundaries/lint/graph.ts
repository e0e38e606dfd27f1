import type { Edge } from './imports.ts';

/** Who leans on whom: for each file its edges by target, the first one of each. */
export type Targets = ReadonlyMap<string, ReadonlyMap<string, Edge>>;

export function targetsOf(edges: readonly Edge[]): Targets {
  const targets = new Map<string, Map<string, Edge>>();
  for (const edge of edges) {
    const ofFile = targets.get(edge.from) ?? new Map<string, Edge>();
    if (!ofFile.has(edge.to)) ofFile.set(edge.to, edge);
    targets.set(edge.from, ofFile);
  }
  return targets;
}

/** The shortest way from a file to a target, first and last included; it goes through files only that `passes` lets through. */
export function shortestWay(targets: Targets, from: string, isTarget: (file: string) => boolean, passes: (file: string) => boolean): string[] | undefined {
  const cameFrom = new Map<string, string | undefined>([[from, undefined]]);
  for (const file of cameFrom.keys()) {
    for (const next of targets.get(file)?.keys() ?? []) {
      if (isTarget(next)) return [...wayTo(cameFrom, file), next];
      if (!cameFrom.has(next) && passes(next)) cameFrom.set(next, file);
    }
  }
  return undefined;
}

function wayTo(cameFrom: ReadonlyMap<string, string | undefined>, file: string): string[] {
  const before = cameFrom.get(file);
  return before === undefined ? [file] : [...wayTo(cameFrom, before), file];
}

/**
 * Files that need each other, each time around and back to the first. A file is told of once: where cycles share one, the
 * others show when the first is gone.
 */
export function cyclesOf(targets: Targets): string[][] {
  const left = new Set(targets.keys());
  const leansOnRest = (file: string) => [...targets.get(file)!.keys()].some((to) => left.has(to));
  for (let before = Infinity; left.size < before; ) {
    before = left.size;
    for (const file of left) if (!leansOnRest(file)) left.delete(file);
  }
  return [...left].toSorted().flatMap((first) => {
    const way = left.has(first) && shortestWay(targets, first, (file) => file === first, (file) => left.has(file));
    for (const file of way || [first]) left.delete(file);
    return way ? [way] : [];
  });
}
