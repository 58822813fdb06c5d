/** What a step sent, what came back, and whether that is what was promised. */
export interface Step {
  readonly title: string;
  readonly sent: string;
  readonly got: string;
  readonly held: boolean;
}

export type Show = (step: Step) => void;
