/**
 * Reads what nodeToString of PostgreSQL writes (src/backend/nodes/outfuncs.c): `{KIND :field value ...}` for nodes,
 * `(...)` for lists, `<>` for nothing, everything else as words.
 */
export type Tree = TreeNode | Tree[] | string | null;

export interface TreeNode {
  readonly kind: string;
  readonly fields: ReadonlyMap<string, Tree>;
}

export const isNode = (tree: Tree | undefined): tree is TreeNode =>
  typeof tree === 'object' && tree !== null && !Array.isArray(tree);

/** @throws Error where the text is not of this form */
export function readTree(text: string): Tree {
  const tokens = text.matchAll(/[(){}]|(?:\\[^]|[^\s(){}\\])+/g);
  const words = Array.from(tokens, ([token]) => token);
  let at = 0;
  const read = (): Tree => {
    const word = words[at++];
    if (word === undefined) throw new Error('The tree ends too early.');
    if (word === '{') return node();
    if (word !== '(') return word === '<>' ? null : word;
    const list: Tree[] = [];
    while (words[at] !== ')') list.push(read());
    at++;
    return list;
  };
  const node = (): TreeNode => {
    const kind = words[at++] ?? '';
    const fields = new Map<string, Tree>();
    while (words[at] !== '}') {
      const name = words[at++] ?? '';
      if (!name.startsWith(':')) throw new Error(`The field "${name}" of ${kind} has no name.`);
      const values: Tree[] = [];
      while (words[at] !== '}' && !(words[at]?.startsWith(':') === true && /^:[a-z_A-Z]/.test(words[at] ?? '')))
        values.push(read());
      fields.set(name.slice(1), values.length === 1 ? (values[0] ?? null) : values);
    }
    at++;
    return { kind, fields };
  };
  return read();
}

export const list = (node: TreeNode, name: string): Tree[] => {
  const value = node.fields.get(name);
  return Array.isArray(value) ? value : value == null ? [] : [value];
};
export const child = (node: TreeNode, name: string): TreeNode | undefined => {
  const value = node.fields.get(name);
  return isNode(value) ? value : undefined;
};
export const word = (node: TreeNode, name: string): string => {
  const value = node.fields.get(name);
  return typeof value === 'string' ? value : '';
};
export const number = (node: TreeNode, name: string): number => Number(word(node, name));
