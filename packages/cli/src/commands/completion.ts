/**
 * `sluice completion`: scripts for bash, zsh and fish. Owns: them. Does not: the list of commands, which it takes from the
 * program.
 */
import { Argument, type Command } from 'commander';
import { print } from '../output.js';

/** A command as shells complete it: the words before it, and what may follow. */
interface CompletionPlace {
  readonly path: string;
  readonly words: readonly string[];
}

/** `sluice completion bash|zsh|fish`. The script names the commands of this version, and asks nobody when it is used. */
export function completion(program: Command): void {
  program
    .command('completion')
    .description('prints a script that completes commands and options; source it, or put it where your shell looks')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action((shell: keyof typeof SCRIPTS) => print(SCRIPTS[shell](placesOf(program))));
}

/** Every command, its subcommands and its long options, the global ones included. Hidden ones stay hidden. */
function placesOf(program: Command): CompletionPlace[] {
  const help = program.createHelp();
  const shared = program.options.map(({ long }) => long ?? '').filter(Boolean);
  const visit = (command: Command, path: readonly string[]): CompletionPlace[] => {
    const visible = help.visibleCommands(command).filter((one) => one.name() !== 'help');
    const words = [
      ...visible.map((one) => one.name()),
      ...command.options.filter(({ hidden }) => !hidden).map(({ long }) => long ?? ''),
      ...shared,
      '--help',
    ];
    const own = { path: path.join(' '), words: [...new Set(words.filter(Boolean))] };
    return [own, ...visible.flatMap((one) => visit(one, [...path, one.name()]))];
  };
  return visit(program, []);
}

/** The words so far that name commands: options, and what is no command here, are passed over. */
const table = (places: readonly CompletionPlace[], line: (place: CompletionPlace) => string): string =>
  places.map(line).join('\n');

const SCRIPTS = {
  bash: (places: readonly CompletionPlace[]): string => `# bash completion of sluice: source <(sluice completion bash)
_sluice_words() {
  case "$1" in
${table(places, ({ path, words }) => `    "${path}") echo "${words.join(' ')}" ;;`)}
    *) return 1 ;;
  esac
}
_sluice() {
  local path="" word next i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    next="\${path:+$path }$word"
    case "$word" in -*) ;; *) _sluice_words "$next" >/dev/null && path="$next" ;; esac
  done
  COMPREPLY=($(compgen -W "$(_sluice_words "$path")" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _sluice sluice ./sluice`,

  zsh: (places: readonly CompletionPlace[]): string => `#compdef sluice
# zsh completion of sluice: source <(sluice completion zsh)
_sluice_words() {
  case "$1" in
${table(places, ({ path, words }) => `    "${path}") reply=(${words.join(' ')}) ;;`)}
    *) return 1 ;;
  esac
}
_sluice() {
  local spot="" next i
  local -a reply
  for ((i = 2; i < CURRENT; i++)); do
    next="\${spot:+$spot }\${words[i]}"
    [[ "\${words[i]}" == -* ]] || { _sluice_words "$next" && spot="$next" }
  done
  _sluice_words "$spot"
  compadd -- $reply
}
whence compdef >/dev/null && compdef _sluice sluice`,

  fish: (places: readonly CompletionPlace[]): string => `# fish completion of sluice: sluice completion fish | source
function __sluice_words
    switch "$argv"
${table(places, ({ path, words }) => `        case "${path}"\n            string split -- ' ' "${words.join(' ')}"`)}
        case '*'
            return 1
    end
end
function __sluice
    set -l path
    for word in (commandline -opc)[2..]
        if not string match -q -- '-*' $word; and __sluice_words $path $word >/dev/null
            set path $path $word
        end
    end
    __sluice_words $path
end
complete -c sluice -f -a '(__sluice)'`,
} as const;
