/** Times as people read them, in their own zone, with the exact one at hand. Does not: trust that the two clocks agree to a second. */
import { Text } from '@mantine/core';
import { type ReactNode, useEffect, useState } from 'react';

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

/** The clock, in milliseconds since 1970, looked at every so often. */
export function useNow(every: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

/** `3 min`, `2 h`, `5 d` */
export function lasting(seconds: number): string {
  if (seconds < MINUTE) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`;
  if (seconds < 2 * DAY) return `${Math.floor(seconds / HOUR)} h ${Math.floor((seconds % HOUR) / MINUTE)} min`;
  return `${Math.floor(seconds / DAY)} d`;
}

const exact = (at: string): string => {
  const time = new Date(at);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `${time.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'long' })} (${zone}); ${at}`;
};

/** When something was: how long ago, and on which day where that is longer. */
export const When = ({ at }: { readonly at: string }): ReactNode => {
  const now = useNow(15_000);
  const seconds = (now - Date.parse(at)) / 1_000;
  const far = Math.abs(seconds) > DAY;
  const words = far
    ? new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })
    : seconds < 0
      ? `in ${lasting(-seconds)}`
      : `${lasting(seconds)} ago`;
  return (
    <time dateTime={at} title={exact(at)}>
      {words}
    </time>
  );
};

/** How long something still waits. */
export const Left = ({ until }: { readonly until: string }): ReactNode => {
  const now = useNow(1_000);
  const seconds = Math.floor((Date.parse(until) - now) / 1_000);
  const clock = `${Math.floor(seconds / MINUTE)}:${String(seconds % MINUTE).padStart(2, '0')}`;
  const words = seconds <= 0 ? 'time is over' : `${seconds < HOUR ? clock : lasting(seconds)} left`;
  return (
    <Text span fw={seconds < MINUTE ? 700 : 400} inherit>
      <time dateTime={until} title={exact(until)}>
        {words}
      </time>
    </Text>
  );
};
