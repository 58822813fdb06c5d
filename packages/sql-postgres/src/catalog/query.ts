/** How a catalog is asked for: a function that runs SQL. Types only. */

export type CatalogRow = readonly (string | null)[];

/**
 * Runs a SQL text on a connection that belongs to the caller alone, and returns the rows of its last statement; all values
 * come as text. An error of the server has a `sqlstate` or a `severity`.
 */
export type CatalogQuery = (sql: string) => Promise<readonly CatalogRow[]>;
