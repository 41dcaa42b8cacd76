import { takeInt } from '../params.ts';
import { finishNode, requireText, startNode, takeDuration, type ReadNode } from './common.ts';
import { takeTls, type TlsRule } from './tls.ts';
import { takeTransport } from './transport.ts';

const alwaysTls: TlsRule = { whenUnset: true, always: true, utls: true };

export const readAnytls: ReadNode = (params) => {
  const draft = startNode('anytls', params, 443);
  const tls = takeTls(params, alwaysTls);
  return finishNode(draft, params, {
    password: requireText(params, 'password', 'the password'),
    idle_session_check_interval: takeDuration(params, 'idle-session-check-interval', 's'),
    idle_session_timeout: takeDuration(params, 'idle-session-timeout', 's'),
    min_idle_session: takeInt(params, 'min-idle-session', 65_535),
    tls,
    // Loon can put it into a transport, which no engine of ours does.
    transport: takeTransport(params, tls),
  });
};
