import type { Exchange, Step } from '../exchange.ts';
import type { Allowance, Gatekeeper } from '../gatekeeper.ts';

/** Limits by address, before anybody knows who asks. */
export const createAdmit =
  ({ admit }: Gatekeeper): Step =>
  async (exchange, next) => {
    tell(exchange, await admit(exchange.route, exchange.request));
    return await next();
  };

/** Finds out who asks. */
export const createAuthenticate =
  ({ authenticate }: Gatekeeper): Step =>
  async (exchange, next) => {
    exchange.caller = await authenticate(exchange.route, exchange.request);
    return await next();
  };

/** Whether this caller may use this route. */
export const createAuthorize =
  ({ authorize }: Gatekeeper): Step =>
  async (exchange, next) => {
    await authorize(exchange.route, exchange.caller);
    return await next();
  };

/** Limits by caller. */
export const createLimit =
  ({ limit }: Gatekeeper): Step =>
  async (exchange, next) => {
    tell(exchange, await limit(exchange.route, exchange.caller));
    return await next();
  };

function tell({ setHeader }: Exchange, allowance: Allowance | undefined): void {
  if (!allowance) return;
  for (const [name, value] of Object.entries(rateLimitHeaders(allowance))) setHeader(name, value);
}

/** As structured fields (draft-ietf-httpapi-ratelimit-headers-10). */
export const rateLimitHeaders = ({ policy, quota, windowS, remaining, resetS }: Allowance) => ({
  'ratelimit-policy': `"${policy}";q=${quota};w=${windowS}`,
  ratelimit: `"${policy}";r=${remaining};t=${resetS}`,
});
