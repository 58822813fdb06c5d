/** One curve of a day. Owns: that it is drawn in the colours of the page, and said in words besides. Does not: ask for it. */
import 'uplot/dist/uPlot.min.css';
import { Text, useComputedColorScheme } from '@mantine/core';
import type { Day } from '@sluice/api';
import { type ReactNode, useEffect, useRef } from 'react';
import UPlot from 'uplot';

const HEIGHT = 140;
type Curve = Day['curves'][number];

const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

function inUnit(value: number, unit: Curve['unit']): string {
  if (unit === 'milliseconds') return `${value.toLocaleString('en', { maximumFractionDigits: 2 })} ms`;
  if (unit !== 'bytes') return value.toLocaleString('en', { maximumFractionDigits: 1 });
  const step = Math.min(BINARY.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, value)) / 10)));
  return `${(value / 1024 ** step).toLocaleString('en', { maximumFractionDigits: 1 })} ${BINARY[step]}`;
}

/** Largest and last: what somebody reads off a curve. */
function inWords({ values, unit }: Curve): string {
  const known = values.filter((value) => value !== null);
  const last = known.at(-1);
  if (last === undefined) return 'Nothing yet';
  const each = unit === 'per minute' ? ' a minute' : '';
  return `Now ${inUnit(last, unit)}${each}, at most ${inUnit(Math.max(...known), unit)}${each}`;
}

export function DayCurve({ curve, every, until }: { readonly curve: Curve } & Pick<Day, 'every' | 'until'>): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const scheme = useComputedColorScheme('light');
  useEffect(() => {
    const { current: element } = place;
    if (!element) return undefined;
    const style = getComputedStyle(document.documentElement);
    const [ink, line, grid] = ['--mantine-color-dimmed', '--code-word', '--mantine-color-default-border'].map((name) =>
      style.getPropertyValue(name),
    ) as [string, string, string];
    const last = Date.parse(until) / 1_000;
    const times = curve.values.map((_, at) => last - (curve.values.length - 1 - at) * every);
    const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
    const plot = new UPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } },
        axes: [axis, { ...axis, size: 64, values: (_, splits) => splits.map((value) => inUnit(value, curve.unit)) }],
        series: [{}, { stroke: line, width: 2, points: { show: curve.values.length < 3 } }],
      },
      [times, [...curve.values]],
      element,
    );
    const resizing = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    resizing.observe(element);
    return () => {
      resizing.disconnect();
      plot.destroy();
    };
  }, [curve, every, until, scheme]);
  return (
    <figure className="bare curve">
      <Text component="figcaption" size="sm">
        <b>{curve.about}</b>
        <br />
        {inWords(curve)}
      </Text>
      <div ref={place} aria-hidden />
    </figure>
  );
}
