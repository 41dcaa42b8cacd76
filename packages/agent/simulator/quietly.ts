/** Errors are answers here, made by the thousand; where they came from is only of interest in a trace. */
export async function quietly<T>(isTraced: boolean, run: () => Promise<T>): Promise<T> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = isTraced ? stackTraceLimit : 0;
  try {
    return await run();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
