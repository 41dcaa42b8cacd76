/** Where the agent of the simulation keeps its state. */
export const stateDir = '/state';
