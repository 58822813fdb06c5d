/** What a test has computed, which the time on the clock does not say: that is of the machine, and of all that runs on it. Does not: wait. */

const sum = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1000;

/** Milliseconds of CPU that this thread has used, since it was started. */
export const threadCpuMs = (): number => sum(process.threadCpuUsage());

/** Milliseconds of CPU that all threads of this process have used. */
export const processCpuMs = (): number => sum(process.cpuUsage());
