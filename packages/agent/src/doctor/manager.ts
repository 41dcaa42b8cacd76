import type { ProblemError } from '@sbox/core';
import { askManagers } from './ask-manager.ts';
import { joinAgain } from '../identity/join-again.ts';
import { failed, ok, warning, type Check, type Finding } from './check.ts';

interface Cause {
  /** Against the code of the problem and of the error behind it. */
  readonly code: RegExp;
  readonly what: string;
  readonly fix: (host: string) => string;
}

/** Why a manager does not answer, the most telling first. */
const causes: readonly Cause[] = [
  {
    code: /ENOTFOUND|EAI_AGAIN|EAI_FAIL/,
    what: 'DNS: the name is not known here',
    fix: (host) => `See whether names are resolved: getent hosts ${host}; cat /etc/resolv.conf`,
  },
  {
    code: /ECONNREFUSED/,
    what: 'refused: nothing listens at this address',
    fix: () => 'Start the manager (sboxmgr serve), or give the right address: manager.urls',
  },
  {
    code: /ETIMEDOUT|CONNECT_TIMEOUT|HEADERS_TIMEOUT|BODY_TIMEOUT|EHOSTUNREACH|ENETUNREACH|TimeoutError/,
    what: 'no answer: the way there is cut or filtered',
    fix: (host) => `Let TCP to ${host} through the firewalls of both sides, or use another way: manager.via: auto`,
  },
  {
    code: /ECONNRESET|UND_ERR_SOCKET|EPIPE/,
    what: 'cut: the connection was ended on the way',
    fix: () => 'Something between may filter it; use another way: manager.via: auto',
  },
  {
    code: /CERT_NOT_YET_VALID|CERT_HAS_EXPIRED/,
    what: 'TLS: the certificate is not valid at this time',
    fix: () => 'Compare the clocks of both sides: timedatectl',
  },
  {
    code: /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|EPROTO|ERR_SSL/,
    what: 'TLS: not the certificate of this manager',
    fix: () => 'Something answers in its place; see: openssl s_client -connect HOST:PORT',
  },
  {
    code: /manager\.untrusted/,
    what: 'pin: another manager answers',
    fix: () => 'If the manager was set up anew, join again, with a new token: sboxagent join URL --token-file FILE',
  },
  {
    code: /auth\.clock-skew/,
    what: 'clock: the manager takes no request with this time',
    fix: () => 'Set the clock: timedatectl set-ntp true',
  },
  {
    code: /auth\.revoked/,
    what: '410: this server was removed from the manager',
    fix: () => 'Make a token (sboxmgr server token) and join again: sboxagent join URL --token-file FILE',
  },
  {
    code: /auth\./,
    what: '401: the manager does not take the key of this server',
    fix: () => joinAgain,
  },
];

/** Every address of the manager, each with the cause when it does not answer. One that answers is enough to live on. */
export const managerCheck: Check = {
  name: 'manager',
  limitMs: 20_000,
  look: async (scene) => {
    const identity = await scene.identity().catch(() => 'damaged' as const);
    if (identity === 'damaged') return failed('not asked: who this server is cannot be read', joinAgain);
    if (identity === undefined) {
      return warning(
        'this server has not joined a manager',
        'Join one (sboxagent join URL --token-file FILE), or bring bundles: sboxagent import FILE --pin sha256:…',
      );
    }
    const answers = await askManagers(scene);
    if (answers.length === 0) return ok('none: this server lives on imported configs');
    const isReached = answers.some(({ problem }) => problem === undefined);
    return answers.map(({ url, via, problem }) => {
      const about = via === 'direct' ? url : `${url} through the ${via}`;
      if (problem === undefined) return ok('answers, is the pinned one and knows this server', about);
      return { ...explain(url, problem, isReached), about };
    });
  },
};

/** One address of several may be down for a good reason, so that it only warns. */
export function explain(url: string, problem: ProblemError, isReached: boolean): Finding {
  const codes = codesBehind(problem);
  const cause = causes.find(({ code }) => codes.some((each) => code.test(each)));
  const host = URL.parse(url)?.hostname ?? url;
  const seen = codes.find((each) => cause?.code.test(each) === true);
  const detail = cause === undefined ? problem.message : `${cause.what} (${seen})`;
  return (isReached ? warning : failed)(detail, cause?.fix(host) ?? problem.fix, url);
}

/** Error codes of Node and undici, through wrapped causes and the attempts of several addresses. */
function codesBehind(error: unknown, depth = 0): string[] {
  if (typeof error !== 'object' || error === null || depth > 4) return [];
  const { code, name, cause, errors } = error as { code?: unknown; name?: unknown; cause?: unknown; errors?: unknown };
  return [
    // Of a DOMException the code is a number.
    typeof code === 'string' ? code : String(name),
    ...codesBehind(cause, depth + 1),
    ...(Array.isArray(errors) ? errors.flatMap((each) => codesBehind(each, depth + 1)) : []),
  ];
}
