/** A type of the catalog as masks need it. Pure. */
import type { Catalog } from '../catalog/catalog.js';
import { FIRST_USER_OID } from '../catalog/objects.js';
import { type PgType, builtIn } from '@sluice/masking';

const MAX_TYPE_DEPTH = 20;

const KINDS: Readonly<Record<string, PgType['kind']>> = {
  b: 'base',
  c: 'composite',
  d: 'domain',
  e: 'enum',
  m: 'multirange',
  p: 'pseudo',
  r: 'range',
};

/** A type as masks need it. What the catalog does not say of it costs precision: such values become NULL. */
export function typeOf(catalog: Catalog, oid: number, typmod = -1, depth = 0): PgType {
  if (oid < FIRST_USER_OID) return builtIn(oid, typmod);
  const type = catalog.typeByOid(oid);
  if (!type || depth > MAX_TYPE_DEPTH) return { oid, typmod, kind: 'pseudo' };
  const under = type.element !== 0 ? type.element : type.base;
  const fields = type.relation === 0 ? undefined : catalog.relationByOid(type.relation)?.columns;
  return {
    oid,
    typmod,
    name: type.name,
    kind: type.element !== 0 ? 'array' : (KINDS[type.kind] ?? 'pseudo'),
    ...(under !== 0 && { element: typeOf(catalog, under, type.kind === 'd' ? type.typmod : typmod, depth + 1) }),
    ...(fields && { fields: fields.map((field) => typeOf(catalog, field.type, field.typmod, depth + 1)) }),
  };
}
