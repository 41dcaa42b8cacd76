import { ProblemError } from '@sbox/core';
import { arg, type Call } from '../command.ts';

const program = 'sboxmgr';

/** What each shell calls while somebody types; the words themselves are asked from the program, which knows them all. */
const shells: Readonly<Record<string, string>> = {
  bash: `# bash: source <(${program} completion bash)
_${program}() {
  local line current="\${COMP_WORDS[COMP_CWORD]}"
  [[ $current == '=' ]] && current=''
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files) compopt -o filenames 2>/dev/null; mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current") ;;
      :directories) compopt -o filenames 2>/dev/null; mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$current") ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <(${program} __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  [[ \${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _${program} ${program}
`,
  zsh: `#compdef ${program}
# zsh: source <(${program} completion zsh)
_${program}() {
  local line paths='' suffix=' '
  local -a found shown
  while IFS= read -r line; do
    case $line in
      :*) paths=$line ;;
      *=) found+=("$line"); shown+=("$line"); suffix='' ;;
      *) found+=("\${line%%$'\\t'*}"); shown+=("\${line/$'\\t'/  -- }") ;;
    esac
  done < <(${program} __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#found} )) && compadd -l -S "$suffix" -d shown -a found
  case $paths in
    :files) _files ;;
    :directories) _files -/ ;;
  esac
}
if [[ \${funcstack[1]} == _${program} ]]; then _${program} "$@"; else compdef _${program} ${program}; fi
`,
  fish: `# fish: ${program} completion fish | source
function __${program}_complete
  set -l words (commandline -opc) "$(commandline -ct)"
  for line in (${program} __complete -- $words[2..] 2>/dev/null)
    switch $line
      case ':files'
        __fish_complete_path "$(commandline -ct)"
      case ':directories'
        __fish_complete_directories "$(commandline -ct)"
      case '*'
        printf '%s\\n' $line
    end
  end
end
complete -c ${program} -f -a '(__${program}_complete)'
`,
};

/** The script that a shell reads to complete our commands. */
export function completionScript(shell: string): string {
  const script = Object.hasOwn(shells, shell) ? shells[shell] : undefined;
  if (script !== undefined) return script;
  throw new ProblemError('command.usage', `${shell} is not one of ${Object.keys(shells).join(', ')}`, {
    fix: `${program} completion bash`,
  });
}

export async function completion(call: Call): Promise<void> {
  await Promise.resolve(call.out.raw(completionScript(arg(call, 0))));
}
