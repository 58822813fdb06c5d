/**
 * One action for each simple command of a text, at any nesting. Owns: depth and number. Does not: what a program does
 * (programs.ts). Pure.
 */
import { type Command, type SyntaxNode, forEachChild, parse } from 'unbash';
import type { Action } from '@sluice/contract';
import { isSecret } from './paths.js';
import { runs } from './programs.js';
import { redirects } from './redirects.js';
import { ANYTHING, type Collector, type ShellDialect, ActionDraft, type Setting } from './setting.js';
import { Untold, check, oddity } from './syntax.js';
import { NOTHING, SECRET_VARIABLE, assigns, knownVariables, suspicious } from './variables.js';
import { type WordValue, valuesOf } from './words.js';
import { looksElsewhere } from './wrappers.js';

const MAX_DEPTH = 40;
const MAX_ACTIONS = 5_000;

/** One action per simple command of a text, at any nesting, in order. */
export class Walk implements Collector {
  readonly actions: Action[] = [];
  readonly #environment: readonly (readonly [string, string])[];
  readonly #terminal: boolean;
  statements = 0;

  constructor(environment: readonly (readonly [string, string])[], terminal: boolean) {
    this.#environment = environment;
    this.#terminal = terminal;
  }

  push(action: Action): void {
    if (this.actions.length >= MAX_ACTIONS) throw new Untold('has more commands than can be judged at once');
    this.actions.push(action);
  }

  /** @throws Untold for what does not parse, and what is too long or too deep */
  text(text: string, dialect: ShellDialect): void {
    this.#script(text, dialect, { depth: 0, nested: 0, named: false, fed: false, piped: false, assigns: false });
  }

  script(text: string, dialect: ShellDialect, { depth, nested, piped, assigns: isSet, statement }: Setting): void {
    const before = this.statements;
    const base = { depth: depth + 1, nested: nested + 1, named: false, fed: false, piped, assigns: isSet };
    this.#script(text, dialect, base, statement);
    this.statements = before;
  }

  #script(
    text: string,
    dialect: ShellDialect,
    base: Pick<Setting, 'depth' | 'nested' | 'named' | 'fed' | 'piped' | 'assigns'>,
    within?: number,
  ): void {
    if (base.nested > 8) throw new Untold('runs texts that run texts, too deep to follow');
    check(text);
    const script = parse(text);
    if (script.errors && script.errors.length > 0)
      throw new Untold(`does not parse as ${dialect} (${script.errors[0]?.message ?? ''})`);
    // A variable may be set before, and not by what this text says on the way that is taken.
    const variables = base.assigns ? NOTHING : knownVariables(script, this.#environment);
    const setting = {
      ...base,
      assigns: base.assigns || assigns(script),
      dialect,
      variables,
      folders: foldersOf(script),
      terminal: this.#terminal,
    };
    for (const command of script.commands) {
      const statement = within ?? this.statements++;
      this.#node(command, { ...setting, statement }, 0);
    }
  }

  #node(node: SyntaxNode, setting: Setting, level: number): void {
    if (level > MAX_DEPTH * 4) throw new Untold('is nested too deep to be followed');
    const doubt = oddity(node, setting.dialect);
    if (doubt !== undefined)
      this.push(new ActionDraft('unknown').unknown(doubt).action(setting.statement, setting.depth));
    if (secretExpansion(node, setting))
      this.push(new ActionDraft('echo').effect('read', 'secret').action(setting.statement, setting.depth));
    switch (node.type) {
      case 'Command':
        this.#command(node, setting);
        break;
      case 'Redirected': {
        const draft = new ActionDraft('redirect');
        for (const redirect of node.redirects) redirects(redirect, draft, setting);
        if (!draft.empty) this.push(draft.action(setting.statement, setting.depth));
        break;
      }
      case 'Pipeline':
        for (const prefix of node.prefixes) this.#node(prefix, setting, level + 1);
        node.commands.forEach((command, at) => {
          const source = node.commands[at - 1];
          const fed = source !== undefined && takesInput(command) && printsNames(source, setting);
          this.#node(command, { ...setting, piped: setting.piped || at < node.commands.length - 1, fed }, level + 1);
        });
        return;
      case 'CommandExpansion':
      case 'ProcessSubstitution':
      case 'ArithmeticCommandExpansion': {
        const { script } = node;
        if (!script || (script.errors && script.errors.length > 0))
          throw new Untold(`does not parse as ${setting.dialect}`);
        const inner = { ...setting, depth: setting.depth + 1, piped: true, fed: false };
        for (const command of script.commands) this.#node(command, inner, level + 1);
        return;
      }
      default:
    }
    forEachChild(node, (child) => this.#node(child, setting, level + 1));
  }

  #command(node: Command, setting: Setting): void {
    const draft = new ActionDraft(node.name ? verbGuess(node) : 'redirect');
    for (const redirect of node.redirects) redirects(redirect, draft, setting);
    const assigned = new ActionDraft('assignment');
    for (const item of node.prefix) {
      if (item.type !== 'Assignment') continue;
      const values = item.value.type === 'Word' ? valuesOf(item.value, setting.variables) : [];
      const text = values.length === 1 && values[0]?.known ? values[0].text : undefined;
      const reason =
        suspicious(item.name, text) ??
        (item.index && !/^\w+$/.test(item.index.value) ? 'has a subscript that is evaluated' : undefined);
      if (reason !== undefined) assigned.unknown(reason);
      else assigned.effect('session');
    }
    if (!assigned.empty && (!node.name || assigned.has('unknown')))
      this.push(assigned.action(setting.statement, setting.depth));
    if (!node.name) {
      if (!draft.empty) this.push(draft.action(setting.statement, setting.depth));
      return;
    }
    const [first = ANYTHING, ...more] = valuesOf(node.name, setting.variables);
    const program = more.length > 0 || first.many ? ANYTHING : first;
    runs(
      program,
      node.args.flatMap((one) => argument(one, setting)),
      setting,
      this,
      draft,
    );
  }
}

function argument(one: Command['args'][number], setting: Setting): readonly WordValue[] {
  if (one.type === 'Word') {
    const values = valuesOf(one, setting.variables);
    const braces = one.parts?.some((part) => part.type === 'BraceExpansion');
    // One of several: which of them would be an option is open.
    return values.length > 1 && !braces && values.some(({ text }) => text.startsWith('-')) ? [ANYTHING] : values;
  }
  if (one.value.type !== 'Word' || one.index) return [{ text: `${one.name}[`, known: false, glob: false, many: false }];
  return valuesOf(one.value, setting.variables).map((value) => ({
    ...value,
    text: `${one.name}${one.append ? '+' : ''}=${value.text}`,
  }));
}

/** The verb that the program will most likely have; where it is another one, what was said about redirections moves there. */
const verbGuess = ({ name }: Command): string => name?.value.split('/').at(-1)?.toLowerCase() ?? '';

/** A variable that is not one of the text's own, and is called a secret. */
function secretExpansion(node: SyntaxNode, { variables }: Setting): boolean {
  const name =
    node.type === 'SimpleExpansion'
      ? node.text.slice(1)
      : node.type === 'ParameterExpansion' && node.prefix !== '#'
        ? node.parameter
        : '';
  return SECRET_VARIABLE.test(name) && !/^(?:OLD)?PWD$/.test(name) && !variables.has(name);
}

/** It reads what the program before it prints, and nothing else. */
const takesInput = (node: SyntaxNode): boolean =>
  node.type === 'Command' && node.redirects.every((one) => one.type === 'Redirect' && !one.operator.startsWith('<'));

/** Names of files from a program that looks in folders without secrets. */
function printsNames(node: SyntaxNode, setting: Setting): boolean {
  if (node.type !== 'Command' || node.name?.parts) return false;
  const name = node.name?.value;
  const values = node.args.flatMap((one) => argument(one, setting));
  if (
    values.some(({ known, text }) => !known || /^-(?:fprint|exec|ok|delete|printf)/.test(text) || isSecret(text, true))
  )
    return false;
  if (name === 'git') return values[0]?.text === 'ls-files';
  if (name !== 'find') return false;
  const first = values.findIndex(({ text }) => /^[-!(]/.test(text));
  const roots = values.slice(0, first < 0 ? values.length : first).map(({ text }) => text);
  return looksElsewhere(values, roots, setting);
}

/** Folders that the text changes to. */
function foldersOf(script: SyntaxNode): readonly string[] {
  const folders: string[] = [];
  const see = (node: SyntaxNode): void => {
    if (node.type === 'Command' && /^(?:cd|pushd)$/.test(node.name?.value ?? '') && folders.length < 20)
      for (const one of node.args) if (one.type === 'Word' && !one.value.startsWith('-')) folders.push(one.value);
    forEachChild(node, see);
  };
  see(script);
  return folders;
}
