/**
 * Where rules take a path with a suffix for the one without. Rails, Spring and others route `/users/7.json` as `/users/7`, so that a rule that
 * refuses, holds or masks the one is meant for both. Owns: what of a condition is asked so. Does not: compare paths
 * (packages/http-requests/src/path.ts).
 */
import type { ASTNode } from '@marcbachmann/cel-js';

/** A name in the source of a condition that is replaced. `at`: offset in characters. */
export interface Renaming {
  readonly at: number;
  readonly from: string;
  readonly to: string;
}

const PATH = 'path';
/** As `path`, where suffixes make no difference. */
export const PATH_ALIKE = 'pathAlike';
/** As `request.operation`, likewise. */
export const OPERATION_ALIKE = 'operationAlike';

/**
 * Calls of `path`, and `request.operation`, of which more fits may make the condition hold, and never keep it from that: not those behind `!`, `!=` or in the question of
 * `? :`. `!path("/a.json")` is about exactly that path: a rule that refuses all but some paths would else refuse those.
 */
export function suffixesAlike(ast: ASTNode): Renaming[] {
  const places: Renaming[] = [];
  const see = (node: ASTNode, isTruth: boolean): void => {
    switch (node.op) {
      case '&&':
      case '||':
        for (const one of node.args) see(one, isTruth);
        return;
      case '?:':
        for (const one of node.args.slice(1)) see(one, isTruth);
        return;
      case 'call': {
        const [name, given] = node.args;
        // The value of a parameter is none of truth: it is compared with something.
        if (name === PATH && (given.length === 2 || isTruth))
          places.push({ at: node.range.start, from: PATH, to: PATH_ALIKE });
        else if (name === 'matches') for (const one of given) see(one, false);
        return;
      }
      case '.': {
        const [of, name] = node.args;
        const { start, end } = node.range;
        if (of.op === 'id' && of.args === 'request' && name === 'operation')
          places.push({ at: start, from: node.input.slice(start, end), to: `${OPERATION_ALIKE}()` });
        return;
      }
      case 'rcall': {
        const [name, receiver, given] = node.args;
        const isQuantifier = name === 'exists' || name === 'all';
        see(receiver, false);
        for (const one of given) see(one, isQuantifier && isTruth);
        return;
      }
      case 'list':
        for (const one of node.args) see(one, false);
        return;
      case '==':
      case 'in':
      case '+':
        for (const one of node.args) see(one, false);
        return;
      default:
    }
  };
  see(ast, true);
  return places;
}
