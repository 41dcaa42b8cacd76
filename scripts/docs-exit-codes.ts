/** What the commands of both programs end with. */
export const exitCodes: readonly (readonly [number, string])[] = [
  [0, 'ok'],
  [1, 'failed'],
  [2, 'usage'],
  [3, 'not found'],
  [4, 'authentication'],
  [5, 'conflict'],
  [6, 'unreachable'],
  [7, 'validation'],
  [8, 'time-out'],
  [9, 'partly done'],
  [20, 'a difference was found (--exit-code, plan)'],
  [130, 'stopped by a signal'],
];
