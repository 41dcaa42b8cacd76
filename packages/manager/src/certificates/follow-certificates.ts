import type { Logger } from '@sbox/daemon/log';
import type { Listener, TlsIdentity } from '@sbox/daemon/serve';

export interface FollowDeps {
  /** What the listeners began with. */
  readonly tls: TlsIdentity;
  /** The certificate and its key as they lie on the disk now; a manager's own is renewed by this. */
  readonly readTls: () => Promise<TlsIdentity>;
  readonly listeners: readonly { readonly useTls: Listener['useTls'] | undefined }[];
  readonly log: Logger;
}

/**
 * Looks once, and gives the listeners a certificate that has changed: connections that are open keep theirs. A pair that
 * cannot be used throws a problem and is tried again at the next look, because its files may be half written.
 */
export function createCertificateLook({ tls, readTls, listeners, log }: FollowDeps): () => Promise<void> {
  let used = tls;
  return async () => {
    const found = await readTls();
    if (found.cert === used.cert && found.key === used.key) return;
    for (const { useTls } of listeners) useTls?.(found);
    used = found;
    log.info('another certificate is used from now on');
  };
}
