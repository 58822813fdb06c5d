/**
 * Protocols in packages of somebody else. Owns: loading what a configuration names, and the check that it is a protocol. Does
 * not: trust it less than the gateway's own code, because it runs in the same process.
 */
import { pathToFileURL } from 'node:url';
import { PROTOCOLS } from '@sluice/config';
import { CONTRACT, type Protocol } from '@sluice/contract';
import { type InspectedPackage, PackageError, inspectPackage } from './inspect.js';

/** For so long a package may take to load, in milliseconds. */
const MAX_LOAD_MS = 30_000;

export interface LoadedPackage extends InspectedPackage {
  /** Named by the package, as rules and the record have it. */
  readonly protocol: Protocol;
}

/** Loads these packages, found from a folder. @throws PackageError for each thing that can be wrong with one */
export async function loadPackages(names: readonly string[], folder: string): Promise<LoadedPackage[]> {
  const loaded: LoadedPackage[] = [];
  for (const name of names) loaded.push(await loadPackage(inspectPackage(name, folder)));
  return loaded;
}

async function loadPackage(inspected: InspectedPackage): Promise<LoadedPackage> {
  const { name, entry } = inspected;
  const exported = await imported(name, pathToFileURL(entry).href);
  if (typeof exported !== 'object' || exported === null || !('contract' in exported))
    throw new PackageError(name, 'it has no protocol as its default export', 'A protocol has "contract: 1".');
  const protocol = exported as Partial<Protocol>;
  if (protocol.contract !== CONTRACT) {
    throw new PackageError(
      name,
      `it was made for contract ${String(protocol.contract)}, and this gateway has ${CONTRACT}`,
      'Install a version of it for this gateway.',
    );
  }
  if (typeof protocol.name !== 'string' || typeof protocol.serve !== 'function')
    throw new PackageError(name, 'its default export has no "name" or no "serve", so it is no protocol');
  if (PROTOCOLS.some((one) => one.name === protocol.name))
    throw new PackageError(name, `it calls itself "${protocol.name}", which is a protocol of Sluice's own`);
  return { ...inspected, protocol: named(name, protocol as Protocol) };
}

/** The package is what a configuration names and what is on record; what it calls itself is its own affair. */
const named = (name: string, protocol: Protocol): Protocol => ({
  name,
  contract: protocol.contract,
  serve: async (client, gate) => protocol.serve(client, gate),
});

async function imported(name: string, url: string): Promise<unknown> {
  const { promise, reject } = Promise.withResolvers<never>();
  const late = setTimeout(
    () => reject(new PackageError(name, `it did not load within ${MAX_LOAD_MS / 1000} s`)),
    MAX_LOAD_MS,
  );
  try {
    const { default: exported } = (await Promise.race([import(url), promise])) as { default?: unknown };
    return exported;
  } catch (error) {
    if (error instanceof PackageError) throw error;
    throw new PackageError(name, `it fails as it is loaded: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    clearTimeout(late);
  }
}
