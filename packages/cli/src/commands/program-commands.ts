import type { CommandRow } from '../command.ts';

/** Commands about the program itself. */
export const programCommands: readonly CommandRow[] = [
  {
    usage: 'completion <shell>',
    summary: 'Print what makes bash, zsh or fish complete the commands',
    examples: ['source <(sboxmgr completion bash)', 'sboxmgr completion fish | source'],
    load: async () => (await import('./completion.ts')).completion,
  },
];
