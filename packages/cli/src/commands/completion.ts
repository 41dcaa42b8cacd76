import { ProblemError } from '@sbox/core';
import { arg, type Call, type CommandRow } from '../command.ts';
import { remoteOptions, sharedOptions } from '../program.ts';

/** The words of a command up to where somebody is, `sboxmgr config`, and what may come next. */
type Words = ReadonlyMap<string, readonly string[]>;

const program = 'sboxmgr';
const longFlag = /--[a-z][a-z-]*/g;
const flagsOf = ({ options = [], remote }: CommandRow): string[] =>
  [...options, ...(remote ? remoteOptions : []), ...sharedOptions].flatMap(({ flags }) => flags.match(longFlag) ?? []);

/** Everything that can be completed, from the table of commands. */
export function wordsOf(rows: readonly CommandRow[]): Words {
  const next = new Map<string, Set<string>>();
  const add = (path: string, words: readonly string[]): void => {
    const known = next.get(path) ?? new Set();
    for (const word of words) known.add(word);
    next.set(path, known);
  };
  for (const row of rows) {
    const words = row.usage.split(' ').filter((word) => !/^[<[]/.test(word));
    const path = words.reduce((parent, word) => {
      add(parent, [word]);
      return `${parent} ${word}`;
    }, program);
    add(path, flagsOf(row));
  }
  return new Map([...next].map(([path, words]) => [path, [...words].toSorted()]));
}

/** Words of ours hold letters, digits and `-` only, so that they need no quoting beside their own quotes. */
const lines = (words: Words, line: (path: string, next: string) => string): string =>
  [...words].map(([path, next]) => line(path, next.join(' '))).join('\n');

const shells: Readonly<Record<string, (words: Words) => string>> = {
  bash: (words) => `# bash: source <(${program} completion bash)
declare -A _${program}_words=(
${lines(words, (path, next) => `  ['${path}']='${next}'`)}
)
_${program}() {
  local path=${program} word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ -v _${program}_words["$path $word"] ]] && path="$path $word"
  done
  mapfile -t COMPREPLY < <(compgen -W "\${_${program}_words[$path]}" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _${program} ${program}
`,
  zsh: (words) => `#compdef ${program}
# zsh: source <(${program} completion zsh)
typeset -gA _${program}_words=(
${lines(words, (path, next) => `  '${path}' '${next}'`)}
)
_${program}() {
  local path_=${program} word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    (( \${+_${program}_words[$path_ $word]} )) && path_="$path_ $word"
  done
  compadd -- \${=_${program}_words[$path_]} || _files
}
compdef _${program} ${program}
`,
  fish: (words) => `# fish: ${program} completion fish | source
function __${program}_next
  switch "$argv"
${lines(words, (path, next) => `    case '${path}'\n      string split ' ' -- '${next}'`)}
  end
end
function __${program}_words
  set -l path ${program}
  for word in (commandline -opc)[2..]
    if test -n "$(__${program}_next $path $word)"
      set path $path $word
    end
  end
  __${program}_next $path
end
complete -c ${program} -a '(__${program}_words)'
`,
};

/** The script that a shell reads to complete our commands. */
export function completionScript(shell: string, rows: readonly CommandRow[]): string {
  const write = shells[shell];
  if (write) return write(wordsOf(rows));
  throw new ProblemError('command.usage', `${shell} is not one of ${Object.keys(shells).join(', ')}`, {
    fix: `${program} completion bash`,
  });
}

export async function completion(call: Call): Promise<void> {
  await Promise.resolve(call.out.raw(completionScript(arg(call, 0), call.commands)));
}
