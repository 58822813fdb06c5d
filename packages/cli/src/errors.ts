/** Mistakes that the user of the command line can do something about. Does not: defects, which keep their stack. */

/** Something the user can act on. Printed without a stack, exit status 1. */
export class CliError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}
