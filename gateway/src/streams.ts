import type { StreamEditor } from '@sluice/contract';
import type { AppliedMask } from '@sluice/guardrails';

/** Makes the editors that keep what masks look for out of a stream. Undefined: it cannot be done, so nothing may pass. */
export type StreamMasks = (masks: readonly AppliedMask[]) => (() => StreamEditor) | undefined;

/** This version masks rows and no streams: under a mask, programs are refused. */
export const streamMasks: StreamMasks = () => undefined;
