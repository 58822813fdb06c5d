/** The version of Sluice, as the API and the command line say it. */

export const VERSION = '0.1.0';
