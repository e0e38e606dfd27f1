/** Bars in groups, one group below the other. */
export interface Chart {
  title: string;
  unit: string;
  groups: readonly { name: string; bars: readonly { name: string; value: number }[] }[];
}

const COLOURS = ['#2f6f9f', '#d98c3f', '#7a7a7a', '#5c9e6e'];
const [LEFT, RIGHT, BAR, GAP] = [110, 90, 18, 14];
const WIDTH = 720;

/** A picture that can be read on its own, on any background. */
export function chart({ title, unit, groups }: Chart): string {
  const names = [...new Set(groups.flatMap(({ bars }) => bars.map(({ name }) => name)))];
  const most = Math.max(...groups.flatMap(({ bars }) => bars.map(({ value }) => value)).filter(Number.isFinite), Number.MIN_VALUE);
  const drawn: string[] = [];
  let y = 66;
  for (const { name, bars } of groups) {
    drawn.push(text(LEFT - 10, y + (bars.length * BAR) / 2 + 4, name, 'end'));
    for (const { name: of, value } of bars) {
      const length = Number.isFinite(value) ? (value / most) * (WIDTH - LEFT - RIGHT) : 0;
      drawn.push(`<rect x="${LEFT}" y="${y}" width="${length.toFixed(1)}" height="${BAR - 3}" fill="${COLOURS[names.indexOf(of) % COLOURS.length]}"/>`);
      drawn.push(text(LEFT + length + 6, y + 12, Number.isFinite(value) ? value.toLocaleString('en', { maximumSignificantDigits: 3 }) : 'not known'));
      y += BAR;
    }
    y += GAP;
  }
  const key = names.map((name, index) => `<rect x="${LEFT + index * 190}" y="38" width="12" height="12" fill="${COLOURS[index % COLOURS.length]}"/>${text(LEFT + index * 190 + 18, 48, name)}`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" font-family="sans-serif" font-size="12" fill="#222">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<text x="${LEFT}" y="22" font-size="14" font-weight="bold">${escaped(`${title} (${unit})`)}</text>`,
    ...key,
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}

const text = (x: number, y: number, content: string, anchor = 'start') => `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}">${escaped(content)}</text>`;
const escaped = (content: string) => content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
