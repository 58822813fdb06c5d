import type { Catalog } from '../catalog/catalog.js';
import { type PgType, builtIn } from '@sluice/masking';

/** Types made by users start here (FirstNormalObjectId). */
const FIRST_OF_USERS = 16_384;
const DEEPEST = 20;

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
  if (oid < FIRST_OF_USERS) return builtIn(oid, typmod);
  const type = catalog.typeByOid(oid);
  if (!type || depth > DEEPEST) return { oid, typmod, kind: 'pseudo' };
  const under = type.element !== 0 ? type.element : type.base;
  const fields = type.relation === 0 ? undefined : catalog.relationByOid(type.relation)?.columns;
  return {
    oid,
    typmod,
    name: type.name,
    kind: type.element !== 0 ? 'array' : (KINDS[type.kind] ?? 'pseudo'),
    ...(under !== 0 && { element: typeOf(catalog, under, typmod, depth + 1) }),
    ...(fields && { fields: fields.map((field) => typeOf(catalog, field.type, field.typmod, depth + 1)) }),
  };
}
