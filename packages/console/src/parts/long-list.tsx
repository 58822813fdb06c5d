/** A long list of which only what is on the screen is drawn. Owns: which that is. Does not: ask for more (the page that has it). */
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useLayoutEffect, useRef, useState } from 'react';

interface LongListProps<T> {
  readonly of: readonly T[];
  readonly label: string;
  /** Pixels, until one was drawn and measured. */
  readonly height: number;
  /** Entries are added at the end and taken from the start, and never change: this tells them apart. */
  keyOf(one: T, at: number): string | number;
  row(one: T): ReactNode;
}

export function LongList<T>({ of, label, height, keyOf, row }: LongListProps<T>): ReactNode {
  const list = useRef<HTMLOListElement>(null);
  const [above, setAbove] = useState(0);
  useLayoutEffect(() => {
    const top = list.current?.getBoundingClientRect().top;
    if (top !== undefined) setAbove(top + window.scrollY);
  }, []);
  const drawn = useWindowVirtualizer({
    count: of.length,
    estimateSize: () => height,
    overscan: 10,
    scrollMargin: above,
    getItemKey: (at) => keyOf(of[at] as T, at),
  });
  return (
    <ol ref={list} className="bare long" aria-label={label} style={{ height: drawn.getTotalSize() }}>
      {drawn.getVirtualItems().map(({ key, index, start }) => (
        <li
          key={key}
          ref={drawn.measureElement}
          data-index={index}
          aria-setsize={of.length}
          aria-posinset={index + 1}
          style={{ transform: `translateY(${start - above}px)` }}
        >
          {row(of[index] as T)}
        </li>
      ))}
    </ol>
  );
}
