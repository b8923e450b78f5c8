import type { Measurement } from './measurement.ts';
import { countedSamples, isAllVoid, medianValue } from './report.ts';
import { range } from './statistics.ts';

const WIDTH = 900;
const LABEL_WIDTH = 330;
const BAR_WIDTH_MAX = 430;
const LINE_HEIGHT = 22;
const OWN_COLOUR = '#2563eb';
const PEER_COLOUR = '#94a3b8';
const RISKY_COLOUR = '#fca5a5';

/** A bar chart of all rates as SVG: one group a case, each scaled to its own longest bar, with the range as a line. */
export function chartSvg(measurements: readonly Measurement[]): string {
  const rates = measurements.filter(
    ({ unit, samples }) => unit.endsWith('/s') && samples.length > 0,
  );
  const titles = [...new Set(rates.map(({ title }) => title))];
  let top = 10;
  const groups = titles.map((title) => {
    const group = rates.filter((measurement) => measurement.title === title);
    const text = groupSvg(group, top);
    top += (group.length + 2) * LINE_HEIGHT;
    return text;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="white"/>
${groups.join('\n')}
</svg>
`;
}

function groupSvg(group: readonly Measurement[], top: number): string {
  const [first] = group;
  const longest = Math.max(...group.flatMap((one) => one.samples.map(({ value }) => value)));
  const heading = `${first?.caseName ?? ''} ${first?.title ?? ''} (${first?.unit ?? ''})`;
  const bars = group.map((measurement, index) =>
    barSvg(measurement, { top: top + (index + 1) * LINE_HEIGHT, scale: BAR_WIDTH_MAX / longest }),
  );
  return [
    `<text x="10" y="${top + 15}" font-weight="bold">${escaped(heading)}</text>`,
    ...bars,
  ].join('\n');
}

function barSvg(measurement: Measurement, at: { top: number; scale: number }): string {
  const value = medianValue(measurement);
  const { min, max } = range(countedSamples(measurement).map((sample) => sample.value));
  const middle = at.top + LINE_HEIGHT / 2;
  const x = (rate: number) => (LABEL_WIDTH + rate * at.scale).toFixed(1);
  const remarks = [
    measurement.isDurable ? '' : ' not durable',
    isAllVoid(measurement) ? ' VOID' : '',
  ].join('');
  return [
    `<text x="${LABEL_WIDTH - 8}" y="${at.top + 15}" text-anchor="end">${escaped(`${measurement.subject}, ${measurement.client}${remarks}`)}</text>`,
    `<rect x="${LABEL_WIDTH}" y="${at.top + 3}" width="${(value * at.scale).toFixed(1)}" height="${LINE_HEIGHT - 6}" fill="${colourOf(measurement)}"/>`,
    `<line x1="${x(min)}" x2="${x(max)}" y1="${middle}" y2="${middle}" stroke="black"/>`,
    `<text x="${Number(x(max)) + 8}" y="${at.top + 15}">${Math.round(value).toLocaleString('en')}</text>`,
  ].join('\n');
}

function colourOf({ subject, isDurable }: Measurement): string {
  if (!isDurable) return RISKY_COLOUR;
  return subject === 'AllSource core' ? OWN_COLOUR : PEER_COLOUR;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
