import { startListener, type Listener, type TlsIdentity } from '@sbox/daemon/serve';
import type { Stream } from './features/agents/stream.ts';
import { createManagerApp, type AppsDeps } from './http-apps.ts';
import { usesTls, type ManagerSettings } from './settings.ts';

export interface Door {
  readonly url: string;
  readonly serves: readonly string[];
  /** Undefined for a Unix socket. */
  readonly port: number | undefined;
  /** Undefined for plain HTTP. */
  readonly useTls: Listener['useTls'] | undefined;
}

/** Opens every listener of the settings; the stack closes them. @throws ProblemError `port.in-use` */
export async function openDoors(
  settings: ManagerSettings,
  tls: TlsIdentity,
  apps: AppsDeps & { readonly stream: Stream },
  stack: AsyncDisposableStack,
): Promise<readonly Door[]> {
  const doors: Door[] = [];
  for (const listener of settings.listen) {
    const { address, serves } = listener;
    const isSecure = usesTls(listener, settings);
    const opened: Listener = await startListener({
      address,
      fetch: createManagerApp(apps, { serves, isSecure }).fetch,
      ...(isSecure ? { tls } : {}),
      ...(serves.includes('agents') ? { upgrade: apps.stream.upgrade } : {}),
    });
    stack.use(opened);
    doors.push({ url: opened.url, serves, port: opened.port, useTls: isSecure ? opened.useTls : undefined });
  }
  return doors;
}
