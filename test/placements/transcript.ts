/** What was seen of a run, as lines that say the same wherever modules live: headings begin with `# `. */
export type Transcript = string[];

const MINUTE = 60_000;
/** Wider than any step takes, narrower than any time that a shop promises. */
const COARSE = 5;

/**
 * Replaces what differs from run to run: ids and secrets by the order of their first appearance, instants by how far they
 * were then from the shop's `now`, so that the same stays the same.
 */
export function createNeutral(url: string, now: () => number): (text: string) => string {
  const numbers = new Map<string, number>();
  const distances = new Map<string, string>();
  const distance = (instant: string) => {
    if (!distances.has(instant)) distances.set(instant, distanceOf(Date.parse(instant) - now()));
    return distances.get(instant)!;
  };
  const numbered = (kind: string) => (found: string) => {
    if (!numbers.has(found)) numbers.set(found, numbers.size + 1);
    return `<${kind} ${numbers.get(found)}>`;
  };
  return (text) =>
    text
      .replaceAll(url, '<shop>')
      .replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, numbered('token'))
      .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, numbered('id'))
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, distance)
      .replaceAll(/(?<![\w-])(?=[\w-]*[A-Za-z])(?=[\w-]*\d)[\w-]{40,}(?![\w-])/g, numbered('secret'));
}

function distanceOf(milliseconds: number): string {
  const minutes = Math.round(milliseconds / MINUTE / COARSE) * COARSE;
  return minutes === 0 ? '<now>' : `<${minutes > 0 ? '+' : ''}${minutes}m>`;
}

/** The first place where two transcripts differ, as a few lines for people; undefined when they say the same. */
export function differenceBetween(expected: Transcript, found: Transcript): string | undefined {
  const length = Math.max(expected.length, found.length);
  const at = Array.from({ length }, (_, index) => index).find((index) => expected[index] !== found[index]);
  if (at === undefined) return undefined;
  const heading = expected.findLastIndex((line, index) => index <= at && line.startsWith('# '));
  const before = expected.slice(heading + 1, at).slice(-3);
  const shown = (lines: Transcript, mark: string) => (lines.slice(at, at + 3).length > 0 ? lines.slice(at, at + 3) : ['(the end)']).map((line) => `  ${mark} ${line}`);
  return [`  ${expected[heading]?.slice(2) ?? ''}`, ...before.map((line) => `    ${line}`), ...shown(expected, '-'), ...shown(found, '+')].join('\n');
}
