import { messageOf, ProblemError } from '@sbox/core';

/** A failure of the network; its words name at most the host. */
export function networkProblem(error: unknown, { hostname }: URL): ProblemError {
  if (error instanceof ProblemError) return error;
  const reason = (error as { code?: string }).code ?? messageOf(error);
  if (reason === 'UND_ERR_INVALID_ARG') {
    return new ProblemError('fetch.failed', 'a header of the source cannot be sent', { details: { host: hostname } });
  }
  const isTimeout = reason === 'UND_ERR_CONNECT_TIMEOUT' || reason === 'ETIMEDOUT';
  return new ProblemError(isTimeout ? 'fetch.timeout' : 'fetch.failed', `${hostname}: ${reason}`, {
    details: { host: hostname, reason },
    cause: error,
  });
}

/** Whether it was the network, so that another try may go better. */
export const isPassingProblem = ({ details }: ProblemError): boolean => details?.['reason'] !== undefined;
