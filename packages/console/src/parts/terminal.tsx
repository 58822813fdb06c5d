/**
 * A terminal in a page. Owns: the player, and that it is gone when the page is. Does not: know where what it shows comes from, but for the
 * events of a session that is open.
 *
 * What a terminal shows is drawn by the player as text: no sequence in it reaches anything but the picture of its own screen.
 */
import 'asciinema-player/dist/bundle/asciinema-player.css';
import { Text } from '@mantine/core';
import type { TimelineEntry } from '@sluice/api';
import { type RecordingEvent, create } from 'asciinema-player';
import { type ReactNode, type RefObject, useEffect, useRef, useState } from 'react';
import { ApiError, askEvents } from '../data/api.js';
import { type Cast, sizeOf } from '../data/cast.js';
import { queries } from '../data/queries.js';
import { Fault } from './states.js';

export interface Playing {
  seek(at: number): void;
}

interface RecordedProps {
  readonly cast: Cast;
  readonly speed: number;
  /** What the rest of the page has of it. */
  readonly playing: RefObject<Playing | null>;
}

/** Another speed goes on where the one before was. */
export function RecordedTerminal({ cast, speed, playing }: RecordedProps): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const at = useRef(0);
  useEffect(() => {
    at.current = 0;
  }, [cast]);
  useEffect(() => {
    const { current: element } = place;
    if (!element) return undefined;
    const end = cast.events.at(-1)?.at ?? 0;
    // A moment more than was recorded: beyond its end the player shows nothing, and what happened last is shown a little later.
    const events = [...cast.events, { at: end + 2 * AFTER_SECONDS, code: 'o', data: NOTHING_NEW } as const];
    const source = {
      data: [],
      // The player counts in milliseconds inside, and changes the events that it is given.
      parser: () => ({
        cols: cast.cols,
        rows: cast.rows,
        events: events.map(({ at: time, code, data }): RecordingEvent => [time * 1_000, code, data]),
      }),
    };
    // Until it is played it shows where it was; at first, how it ended.
    const shown = at.current > 0 ? at.current : end;
    const poster = `npt:${(shown + AFTER_SECONDS).toFixed(3)}`;
    const more = { startAt: at.current, poster, preload: true };
    const player = create(source, element, { ...LOOKS, speed, ...more });
    let wanted: number | undefined;
    /** A player that is still loading takes no place, and says no. */
    const go = async (to: number, tries = MAX_TRIES): Promise<void> => {
      if (wanted !== to || tries === 0) return;
      const moment = to + AFTER_SECONDS;
      // From the start: where it takes itself to be there already, it draws nothing.
      await player.seek(0);
      if ((await player.seek(moment)) !== true)
        setTimeout(() => void go(to, tries - 1).catch(() => undefined), RETRY_SEEK_MS);
    };
    playing.current = {
      seek: (to) => {
        wanted = to;
        // A player that is gone by then, or has nothing to play, says so itself.
        go(to).catch(() => undefined);
        element.scrollIntoView({ block: 'start' });
      },
    };
    const noting = setInterval(() => (at.current = player.getCurrentTime()), 500);
    return () => {
      wanted = undefined;
      clearInterval(noting);
      at.current = player.getCurrentTime();
      playing.current = null;
      player.dispose();
    };
  }, [cast, speed, playing]);
  return <div className="terminal" ref={place} />;
}

/** What is shown at a moment is what was shown a little later: the player stops before what happens then. */
const AFTER_SECONDS = 0.05;
/** It draws as before (ECMA-48, SGR). The player leaves out what is empty. */
const NOTHING_NEW = '\u001b[m';
/** How often a place is asked for, and after how many milliseconds again: a player loads for seconds where much else runs. */
const MAX_TRIES = 400;
const RETRY_SEEK_MS = 50;
const LOOKS = { fit: 'width', controls: true, terminalFontFamily: 'ui-monospace, Menlo, Consolas, monospace' } as const;

/** As the player wants a source that goes on; its types leave it out. */
interface DriverPort {
  dispatch(event: 'play' | 'playing' | 'ended' | 'offline' | 'reset' | 'output' | 'resize', data?: unknown): void;
}
type Source = Parameters<typeof create>[0];

/** Until it is followed again after the gateway was away, in milliseconds. */
const RETRY_MS = 1_500;

/** What has been shown so far at once, then what is shown as it happens. */
export function LiveTerminal({ id }: { readonly id: string }): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const [error, setError] = useState<ApiError>();
  useEffect(() => {
    const { current: element } = place;
    if (!element) return undefined;
    const stop = new AbortController();
    const driver = ({ dispatch }: DriverPort) => ({
      play: () => {
        dispatch('play');
        void follow(id, dispatch, stop.signal, setError);
        return true;
      },
      stop: () => stop.abort(),
      getCurrentTime: () => 0,
    });
    const player = create(driver as unknown as Source, element, { ...LOOKS, controls: false, autoPlay: true });
    return () => {
      stop.abort();
      player.dispose();
    };
  }, [id]);
  return (
    <>
      <Text size="sm" role="status">
        You are watching: what the terminal shows appears here.
      </Text>
      {error && <Fault error={error} />}
      <div className="terminal" ref={place} />
    </>
  );
}

/** Again from the start where the gateway was away in between; the page of the record takes its place once the session is over. */
async function follow(
  id: string,
  dispatch: DriverPort['dispatch'],
  stop: AbortSignal,
  say: (error: ApiError | undefined) => void,
): Promise<void> {
  while (!stop.aborted) {
    try {
      await draw(askEvents<TimelineEntry>(`/v1/sessions/${encodeURIComponent(id)}/watch`, stop), dispatch, () =>
        say(undefined),
      );
    } catch (fault) {
      if (stop.aborted) return;
      if (fault instanceof ApiError) say(fault);
    }
    await queries.invalidateQueries({ queryKey: ['sessions'] });
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function draw(
  entries: AsyncIterable<TimelineEntry>,
  dispatch: DriverPort['dispatch'],
  begun: () => void,
): Promise<void> {
  // A sequence of bytes may be cut anywhere: each stream of each command is decoded by itself.
  const decoders = new Map<string, TextDecoder>();
  let isSized = false;
  const size = (data: string): void => {
    const to = sizeOf(data);
    dispatch(isSized ? 'resize' : 'reset', isSized ? to : { size: to });
    if (!isSized) dispatch('playing');
    isSized = true;
  };
  for await (const { type, stream, command, data = '' } of entries) {
    begun();
    if (type !== 'output') continue;
    const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
    if (stream === 'size') size(new TextDecoder().decode(bytes));
    if (stream !== 'out' && stream !== 'err') continue;
    if (!isSized) size('80x24');
    const key = `${command} ${stream}`;
    let decoder = decoders.get(key);
    if (!decoder) decoders.set(key, (decoder = new TextDecoder()));
    dispatch('output', decoder.decode(bytes, { stream: true }));
  }
}
