/** A machine of which every state that can come about is looked at. States are plain data: alike when their JSON is. */
export interface Model<State> {
  start: State;
  next(state: State): Step<State>[];
}

export interface Step<State> {
  /** who takes it: whoever could do something for ever does it at last */
  by: string;
  says: string;
  to: State;
  /** a fault, or somebody's free decision: it may come at any time, and nobody may count on it */
  chance?: boolean;
}

/** How a property fails: the shortest way to where it does. */
export interface Counterexample {
  property: string;
  steps: string[];
}

/** What must hold in every state, by its sentence. */
export type Invariants<State> = Record<string, (state: State) => boolean>;

/** All that can happen: states by number, the start first, in the order of their distance from it. */
export interface Graph<State> {
  model: Model<State>;
  states: State[];
  /** where each was come to from, by the step of that number; -1 at the start */
  parents: { state: number; step: number }[];
  next: { to: number; by: string; chance: boolean }[][];
}

/** Breadth first, so that the first state that breaks an invariant is one of the nearest. */
export function explore<State>(model: Model<State>, invariants: Invariants<State>): Graph<State> | Counterexample {
  const graph: Graph<State> = { model, states: [], parents: [], next: [] };
  const numbers = new Map<string, number>();
  const numberOf = (state: State, parent: { state: number; step: number }) => {
    const key = JSON.stringify(state);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, graph.states.length);
    graph.parents.push(parent);
    return graph.states.push(state) - 1;
  };
  numberOf(model.start, { state: -1, step: -1 });
  for (let at = 0; at < graph.states.length; at += 1) {
    const state = graph.states[at]!;
    const broken = Object.entries(invariants).find(([, holds]) => !holds(state));
    if (broken) return { property: broken[0], steps: wayTo(graph, at) };
    graph.next.push(model.next(state).map(({ by, to, chance = false }, step) => ({ to: numberOf(to, { state: at, step }), by, chance })));
  }
  return graph;
}

/** From every state an end can be reached with no help of chance, nor of those who are `asleep` for good. */
export function alwaysCanEnd<State>(graph: Graph<State>, property: string, isEnd: (state: State) => boolean, asleep: readonly string[] = []): Counterexample | undefined {
  const previous: number[][] = graph.states.map(() => []);
  for (const [from, steps] of graph.next.entries()) {
    for (const { to, by, chance } of steps) if (!chance && !asleep.includes(by)) previous[to]!.push(from);
  }
  const ending = graph.states.map(isEnd);
  const pending = [...ending.keys()].filter((state) => ending[state]);
  for (let state = pending.pop(); state !== undefined; state = pending.pop()) {
    for (const before of previous[state]!) {
      if (!ending[before]) pending.push(before);
      ending[before] = true;
    }
  }
  const stuck = ending.indexOf(false);
  return stuck === -1 ? undefined : { property, steps: [...wayTo(graph, stuck), 'from here no end can be reached'] };
}

/**
 * Where chance has done its worst, whatever it was, nobody goes on for ever. An endless run goes round in states that reach each
 * other; it is a fair one if everybody takes part in it, or at some point of it has nothing to do.
 */
export function fairRunsEnd<State>(graph: Graph<State>, property: string): Counterexample | undefined {
  const steps = graph.next.map((all) => all.filter(({ chance }) => !chance));
  const rounds = rounded(steps.map((all) => all.map(({ to }) => to)));
  const actors = [...new Set(steps.flat().map(({ by }) => by))];
  for (const round of rounds) {
    const inside = new Set(round);
    const isFair = actors.every((actor) => round.some((state) => {
      const own = steps[state]!.filter(({ by }) => by === actor);
      return own.length === 0 || own.some(({ to }) => inside.has(to));
    }));
    if (isFair) return { property, steps: [...wayTo(graph, Math.min(...round)), 'from here it may go round for ever'] };
  }
  return undefined;
}

export function wayTo<State>({ model, states, parents }: Graph<State>, state: number): string[] {
  const steps: string[] = [];
  for (let { state: from, step } = parents[state]!; from >= 0; { state: from, step } = parents[from]!) {
    const { by, says } = model.next(states[from]!)[step]!;
    steps.unshift(`${by} ${says}`);
  }
  return steps;
}

/** The groups of states, all that belong together in each, that can be gone round in (Tarjan's strongly connected components). */
function rounded(next: readonly number[][]): number[][] {
  const found: number[][] = [];
  const order = next.map(() => -1);
  const low = next.map(() => 0);
  const onStack = next.map(() => false);
  const stack: number[] = [];
  let counted = 0;
  for (const start of next.keys()) {
    if (order[start] !== -1) continue;
    const path = [{ state: start, done: 0 }];
    for (let here = path.at(-1); here; here = path.at(-1)) {
      const { state } = here;
      if (here.done === 0) {
        order[state] = low[state] = counted++;
        onStack[state] = true;
        stack.push(state);
      }
      const to = next[state]![here.done];
      here.done += 1;
      if (to !== undefined && order[to] === -1) path.push({ state: to, done: 0 });
      else if (to !== undefined && onStack[to]) low[state] = Math.min(low[state]!, order[to]!);
      else if (to === undefined) {
        path.pop();
        const before = path.at(-1)?.state;
        if (before !== undefined) low[before] = Math.min(low[before]!, low[state]!);
        if (low[state] !== order[state]) continue;
        const group = stack.splice(stack.lastIndexOf(state));
        for (const member of group) onStack[member] = false;
        if (group.length > 1 || next[state]!.includes(state)) found.push(group);
      }
    }
  }
  return found;
}
